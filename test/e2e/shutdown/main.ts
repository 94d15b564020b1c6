// Programs that a signal stops: `main.ts <program> <options as JSON>`. Each prints how its job ended.
import { EventEmitter, on, once } from 'node:events';
import { createServer } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { CancellationToken } from '@quiesce/cancellation-token';
import { HttpDrain } from '@quiesce/http-drain';
import { drainable, Scope, scope } from '@quiesce/scope';
import { select, sleep } from '@quiesce/select';
import { type RunMainOptions, runMain, type Shutdown } from '@quiesce/shutdown';
import { say } from './say.ts';

const [program = '', json = '{}'] = process.argv.slice(2);

type Main = (scope: Scope, shutdown: Shutdown) => unknown;

/** The job is cut off unless it has this time. */
async function job(token: CancellationToken, ms = 100): Promise<void> {
  const { branch } = await select({ cut: token, done: sleep(ms) });
  say(branch === 'done' ? 'job done' : 'job cut off');
}

/** A service in which main, or one of its tasks, waits for the end in one of these ways, each of which rejects. */
const waits: Record<string, (shutdown: Shutdown) => Promise<unknown>> = {
  delay: (shutdown) => delay(1e6, undefined, { signal: shutdown.stopAccepting.signal }),
  fetch: async (shutdown) => {
    const server = createServer(() => {}).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    try {
      await fetch(`http://127.0.0.1:${port}`, { signal: shutdown.stopAccepting.signal });
    } finally {
      server.close();
      server.closeAllConnections();
    }
  },
  'events.on': async (shutdown) => {
    for await (const _ of on(new EventEmitter(), 'event', { signal: shutdown.stopAccepting.signal }));
  },
  throwIfCancelled: async ({ stopAccepting }) => {
    for (;;) {
      stopAccepting.throwIfCancelled();
      await select({ stopAccepting, tick: sleep(1e6) });
    }
  },
  select: (shutdown) => select({ tick: sleep(1e6) }, { signal: shutdown.stopAccepting }),
  scope: (shutdown) => scope((s) => s.token.cancelled(), { signal: shutdown.stopAccepting }),
  'Promise.any': (shutdown) => Promise.any([waits['delay']?.(shutdown), waits['select']?.(shutdown)]),
  'a chain of AbortControllers': ({ stopAccepting: { signal } }) => {
    const controller = new AbortController();
    signal.addEventListener('abort', () => controller.abort(signal.reason));
    return delay(1e6, undefined, { signal: AbortSignal.any([controller.signal]) });
  },
  'a floating promise': async (shutdown) => {
    void delay(1e6, undefined, { signal: shutdown.stopAccepting.signal });
    await shutdown.stopAccepting.cancelled();
  },
};

/** A drainable of functions, in place of a listener of another library. */
function listener(isAccepting: () => boolean) {
  return drainable({ name: 'listener', inFlightCount: () => 0, isAccepting, stop: () => {}, drain: async () => {} });
}

const programs: Record<string, Main> = {
  'a service': async (s, shutdown) => {
    s.spawn(job);
    await shutdown.stopAccepting.cancelled();
  },
  'a service whose job takes long': async (s, shutdown) => {
    s.spawn((token) => job(token, 600_000));
    await shutdown.stopAccepting.cancelled();
  },
  'a tool that polls': async (_, shutdown) => {
    while (!shutdown.stopAccepting.isCancelled) await sleep(5);
    say('half is done');
  },
  'a service whose loop works when the signal comes': async (_, shutdown) => {
    for (;;) {
      const { branch } = await select.biased({ stop: shutdown.stopAccepting, tick: sleep(20) });
      if (branch === 'stop') return;
      say('working');
      await sleep(200);
    }
  },
  'a service whose first tick is due before its loop waits': async (_, shutdown) => {
    const tick = sleep(1);
    const begin = performance.now();
    while (performance.now() - begin < 5);
    await select.biased({ stop: shutdown.stopAccepting, tick });
    say('working');
    await sleep(200);
  },
  'a service that waits for its server': async (_, shutdown) => {
    const server = createServer();
    shutdown.add(new HttpDrain(server));
    server.listen(0, '127.0.0.1');
    await once(server, 'close');
  },
  'a tool that polls and has a callback': async (_, shutdown) => {
    shutdown.stopAccepting.onCancelled(() => say('stopping'));
    while (!shutdown.stopAccepting.isCancelled) await sleep(5);
  },
  'a tool that listens to nothing': async (_, shutdown) => {
    // A busy machine must not decide whether the signal comes before the end.
    for (let i = 0; i < 300 && shutdown.isReady; i++) await sleep(5);
    await sleep(100);
    say('all is done');
  },
  'a tool that hangs': () => new Promise(() => {}),
  'a main that has returned': (s) => {
    s.spawn(job);
  },
  'a main that cancels its scope': async (s, shutdown) => {
    await shutdown.stopAccepting.cancelled();
    s.cancel();
    await s.token.cancelled();
    s.token.throwIfCancelled();
  },
  'a task that fails': async (s, shutdown) => {
    s.spawn(async () => {
      await shutdown.stopAccepting.cancelled();
      throw new Error('rollback failed', { cause: shutdown.stopAccepting.reason });
    });
    await shutdown.stopAccepting.cancelled();
  },
  'a server that main forgets': (_, shutdown) => {
    const server = createServer();
    shutdown.add(new HttpDrain(server));
    server.listen(0, '127.0.0.1');
  },
  'a server that main forgets, and that listens later': (_, shutdown) => {
    const server = createServer();
    shutdown.add(new HttpDrain(server));
    setTimeout(() => server.listen(0, '127.0.0.1'), 1);
  },
  'a drainable of functions that main forgets': (_, shutdown) => void shutdown.add(listener(() => true)),
  'a drainable that cannot say whether it accepts work': (_, shutdown) =>
    void shutdown.add(
      listener(() => {
        throw new Error('not connected');
      }),
    ),
  'a main that waits for its own end': (_, shutdown) => shutdown.stopped(),
  'a task that waits for the end of the program, later': async (s, shutdown) => {
    s.spawn(async () => {
      await shutdown.stopAccepting.cancelled();
      await shutdown.stopped();
    });
    await shutdown.stopAccepting.cancelled();
  },
  'a main that adds listeners for signals': async () => {
    await sleep(1);
    process.on('SIGTERM', () => {});
    process.once('SIGTERM', () => {});
  },
  'a worker thread': async (_, shutdown) => {
    if (shutdown.name === 'thread') return;
    const worker = new Worker(new URL(import.meta.url), { argv: ['a worker thread', '{"name":"thread"}'] });
    const [error] = await once(worker, 'error').catch((thrown) => [thrown]);
    say(String(error).split('.')[0] as string);
  },
  'a poller that an object keeps': async () => {
    const poller = new Scope({ name: 'poller' });
    poller.spawn(() => delay(1).then(() => Promise.reject(new Error('the token has expired'))));
    await sleep(50);
    say(String(poller.token.isCancelled));
  },
};
for (const [how, wait] of Object.entries(waits)) {
  programs[`main waits by ${how}`] = (s, shutdown) => {
    s.spawn(job);
    return wait(shutdown);
  };
  programs[`a task waits by ${how}`] = async (s, shutdown) => {
    s.spawn(job);
    s.spawn(() => wait(shutdown));
    await shutdown.stopAccepting.cancelled();
  };
  programs[`a scope of a library waits by ${how}`] = async (s, shutdown) => {
    const library = new Scope({ name: 'library' });
    library.spawn(() => wait(shutdown));
    library.spawn(job);
    s.spawn(() => library.join());
    await shutdown.stopAccepting.cancelled();
  };
}

const main = programs[program];
if (main === undefined) throw new Error(`no program ${JSON.stringify(program)}`);
await runMain(async (s, shutdown) => {
  const end = main(s, shutdown);
  setTimeout(() => say('ready'), 20);
  await end;
}, JSON.parse(json) as RunMainOptions);
