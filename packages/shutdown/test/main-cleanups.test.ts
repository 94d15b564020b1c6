// The cleanups of `main` run when all other drainables have drained, however the program ends.
import { setImmediate as turn } from 'node:timers/promises';
import type { Drainable, Scope } from '@quiesce/scope';
import { drainable, TaskTracker } from '@quiesce/scope';
import { sleep } from '@quiesce/select';
import { type RunMainOptions, runMain, type Shutdown } from '@quiesce/shutdown';
import { FakeProcess, VirtualClock } from '@quiesce/testing';
import { describe, expect, it } from 'vitest';

const SERVED_AT = 3_000;
const DRAIN_TIMEOUT = 10_000;

/** Work beside `main`, which uses the resource of `main` until 3,000 ms after its start. */
type Others = (shutdown: Shutdown, clock: VirtualClock) => { isEnded: boolean };

/** A drainable with `count` items in flight until its drain has fulfilled. */
function busy(name: string, count: number, drain: () => PromiseLike<void>): Drainable {
  let inFlightCount = count;
  return drainable({
    name,
    inFlightCount: () => inFlightCount,
    stop: () => {},
    drain: async () => {
      await drain();
      inFlightCount = 0;
    },
  });
}

/** A server: it accepts requests until it is stopped, and the last one takes until `SERVED_AT`. */
const server: Others = (shutdown, clock) => {
  const work = { isEnded: false };
  let isAccepting = true;
  const served = sleep(SERVED_AT, { clock }).then(() => {
    work.isEnded = true;
  });
  shutdown.add({
    name: 'http',
    get isAccepting() {
      return isAccepting;
    },
    get inFlightCount() {
      return work.isEnded ? 0 : 1;
    },
    stop: () => {
      isAccepting = false;
    },
    drain: () => served,
  });
  return work;
};

const tracked: Others = (shutdown, clock) => {
  const work = { isEnded: false };
  const tracker = new TaskTracker({ name: 'jobs' });
  shutdown.add(tracker);
  void tracker.track(
    sleep(SERVED_AT, { clock }).then(() => {
      work.isEnded = true;
    }),
  );
  return work;
};

/** Another drainable that is added while the first one drains. */
const addedLate: Others = (shutdown, clock) => {
  const work = { isEnded: false };
  const first = busy('first', 1, () => sleep(1_000, { clock }));
  shutdown.add(first);
  shutdown.stopAccepting.onCancelled(() => {
    void clock.setTimer(
      500,
      () => {
        const drain = (): Promise<void> =>
          sleep(SERVED_AT, { clock }).then(() => {
            work.isEnded = true;
          });
        shutdown.add(busy('late', 1, drain));
      },
      { ref: false },
    );
  });
  return work;
};

const others = { 'a server': server, 'a tracker': tracked, 'a drainable added late': addedLate };

type Main = (s: Scope, shutdown: Shutdown, fake: FakeProcess) => unknown;

const service: Main = async (_, shutdown, fake) => {
  setImmediate(() => fake.send('SIGTERM'));
  await shutdown.stopAccepting.cancelled();
};
const ends: Readonly<Record<string, Main>> = {
  'a signal': service,
  'a signal after main has returned': (s, shutdown, fake) => {
    s.spawn(() => shutdown.stopAccepting.cancelled());
    setImmediate(() => fake.send('SIGTERM'));
  },
  'the end of main': () => {},
  'an error of main': () => Promise.reject(new Error('boot')),
  'an error of a task': async (s) => {
    s.spawn(() => Promise.reject(new Error('task')));
    await s.token.cancelled();
  },
};

interface Ended {
  readonly code: unknown;
  /** When the resource of `main` was closed. */
  readonly closedAt: number;
  /** Whether the other work had ended by then. */
  readonly wasUnused: boolean;
  readonly endedAt: number;
  readonly stderr: string;
}

async function run(main: Main, other: Others, readinessDelay = 0): Promise<Ended> {
  const clock = new VirtualClock();
  const fake = new FakeProcess();
  let closed: Pick<Ended, 'closedAt' | 'wasUnused'> = { closedAt: Number.NaN, wasUnused: false };
  const options = { process: fake, clock, readinessDelay, drainTimeout: DRAIN_TIMEOUT, checks: false } as const;
  void runMain(async (s, shutdown) => {
    const work = other(shutdown, clock);
    await s.use({}, () => {
      closed = { closedAt: clock.now(), wasUnused: work.isEnded };
    });
    await main(s, shutdown, fake);
  }, options);
  let code: unknown;
  void fake.exited.then((exitCode) => {
    code = exitCode;
  });
  for (let turns = 0; code === undefined && turns < 1_000; turns++) {
    await clock.advance(100);
    await turn();
  }
  return { code, ...closed, endedAt: clock.now(), stderr: fake.stderr.text };
}

describe('a resource of main is closed when other work no longer needs it', () => {
  const cases = Object.entries(ends).flatMap(([end, main]) =>
    Object.entries(others).map(([other, make]) => ({ end, other, main, make })),
  );
  it.each(cases)('after $end, beside $other', async ({ end, main, make }) => {
    const { wasUnused, closedAt, endedAt, code, stderr } = await run(main, make);
    expect([wasUnused, stderr]).toEqual([true, expect.not.stringContaining('cut off')]);
    // At once, and not at a time limit.
    expect(closedAt).toBeLessThan(SERVED_AT + 1_000);
    expect(endedAt).toBeLessThan(DRAIN_TIMEOUT);
    const isError = end.startsWith('an error') || (end === 'the end of main' && make === server);
    expect(code).toBe(isError ? 1 : 0);
  });

  it('while a server that is not stopped yet still accepts requests', async () => {
    const { wasUnused, closedAt } = await run(service, server, 5_000);
    expect(wasUnused).toBe(true);
    expect(closedAt).toBeGreaterThanOrEqual(5_000);
  });
});

describe('the cleanups of main do not wait', () => {
  it('for guards, which one of them may release', async () => {
    const guarded: Others = () => ({ isEnded: false });
    const main: Main = async (s, shutdown, fake) => {
      await s.use(shutdown.guard('import'));
      await service(s, shutdown, fake);
    };
    const { closedAt, endedAt, code } = await run(main, guarded);
    expect(closedAt).toBeLessThan(1_000);
    expect(endedAt).toBeLessThan(1_000);
    expect(code).toBe(0);
  });

  it('when nothing else has work', async () => {
    const { closedAt, code, stderr } = await run(
      () => {},
      (shutdown) => {
        shutdown.add(new TaskTracker({ name: 'jobs' }));
        return { isEnded: true };
      },
    );
    expect([closedAt, code]).toEqual([0, 0]);
    expect(stderr).not.toContain('main');
  });

  it('for a server that accepts requests but serves none, which one of them may close', async () => {
    let isAccepting = true;
    const { code, stderr } = await exitOf((s, shutdown) => {
      const http = { name: 'http', inFlightCount: 0, stop: () => {}, drain: async () => {} };
      shutdown.add(Object.defineProperty(http, 'isAccepting', { get: () => isAccepting }));
      s.defer(() => {
        isAccepting = false;
      });
    });
    expect(stderr).not.toContain('main');
    expect(code).toBe(0);
  });

  it('for a drain that has failed', async () => {
    const failing: Others = (shutdown) => {
      const drain = (): Promise<void> => Promise.reject(new Error('half'));
      shutdown.add(busy('http', 1, drain));
      return { isEnded: false };
    };
    const { closedAt, code } = await run(service, failing);
    expect(closedAt).toBeLessThan(1_000);
    expect(code).toBe(1);
  });

  it('for work that is cancelled at drainTimeout, and main is not named as cut off', async () => {
    const stuck: Others = (shutdown) => {
      shutdown.add(busy('http', 2, () => new Promise(() => {})));
      return { isEnded: false };
    };
    const { closedAt, code, stderr } = await run(service, stuck);
    expect([closedAt, code]).toEqual([DRAIN_TIMEOUT, 1]);
    expect(stderr).toContain('cut off: http (2 in flight)');
    expect(stderr).not.toContain('main (');
  });

  it('after a force', async () => {
    const stuck: Others = (shutdown, clock) => {
      shutdown.add(busy('http', 1, () => new Promise(() => {})));
      void clock.setTimer(1_000, () => shutdown.force(), { ref: false });
      return { isEnded: false };
    };
    const { closedAt, code, stderr } = await run(service, stuck);
    expect([closedAt, code]).toEqual([1_000, 1]);
    expect(stderr).not.toContain('main (');
  });
});

it('a request that drains may still spawn into the scope of main', async () => {
  const spawned: string[] = [];
  const clock = new VirtualClock();
  const fake = new FakeProcess();
  void runMain(
    async (s, shutdown) => {
      const request = async (): Promise<void> => {
        await sleep(1_000, { clock });
        await s.spawn(async () => {
          await sleep(1_000, { clock });
          spawned.push('done');
        });
      };
      shutdown.add(busy('http', 1, request));
      await s.use({}, () => void spawned.push('closed'));
      await service(s, shutdown, fake);
    },
    { process: fake, clock, checks: false },
  );
  await turn();
  await clock.run(() => fake.exited);
  expect([spawned, await fake.exited]).toEqual([['done', 'closed'], 0]);
});

/** Runs `main` until the process has exited. Returns the exit code and the text of stderr. */
async function exitOf(
  main: (s: Scope, shutdown: Shutdown, clock: VirtualClock, fake: FakeProcess) => unknown,
  options: RunMainOptions = {},
): Promise<{ readonly code: number; readonly stderr: string; readonly endedAt: number }> {
  const clock = new VirtualClock();
  const fake = new FakeProcess();
  void runMain((s, shutdown) => main(s, shutdown, clock, fake), { process: fake, clock, checks: false, ...options });
  await turn();
  const code = await clock.run(() => fake.exited);
  return { code, stderr: fake.stderr.text, endedAt: clock.now() };
}

it('a drainable that main adds after all others have drained is awaited, too', async () => {
  let isServed = false;
  let wasServed: boolean | undefined;
  const { code } = await exitOf(async (s, shutdown, clock, fake) => {
    s.defer(() => {
      wasServed = isServed;
    });
    await service(s, shutdown, fake);
    await sleep(1_000, { clock });
    const serve = async (): Promise<void> => {
      await sleep(SERVED_AT, { clock });
      isServed = true;
    };
    shutdown.add(busy('late', 1, serve));
  });
  expect([wasServed, code]).toEqual([true, 0]);
});

describe('a cleanup that runs at drainTimeout', () => {
  const cleaningFor = (ms: number) => {
    const main: Parameters<typeof exitOf>[0] = async (s, shutdown, clock, fake) => {
      shutdown.add(busy('http', 1, () => sleep(DRAIN_TIMEOUT - 100, { clock })));
      s.defer(() => sleep(ms, { clock }));
      await service(s, shutdown, fake);
    };
    return exitOf(main, { drainTimeout: DRAIN_TIMEOUT, cancelTimeout: 2_000 });
  };

  it('is not cut off: it has until the end of cancelTimeout', async () => {
    const { code, stderr, endedAt } = await cleaningFor(500);
    expect(stderr).not.toContain('cut off');
    expect([code, endedAt]).toEqual([0, DRAIN_TIMEOUT + 400]);
  });

  it('is cut off at the end of cancelTimeout', async () => {
    const { code, stderr, endedAt } = await cleaningFor(5_000);
    expect(stderr).toContain('cut off: main (1 in flight)');
    expect([code, endedAt]).toEqual([1, DRAIN_TIMEOUT + 2_000]);
  });
});

describe('a force while the cleanups of main wait', () => {
  const forced = async (cleanup: (clock: VirtualClock) => unknown) => {
    const log: string[] = [];
    const { stderr, endedAt } = await exitOf(async (s, shutdown, clock, fake) => {
      shutdown.add(busy('http', 1, () => new Promise(() => {})));
      shutdown.hook('db', () => void log.push('db'));
      s.defer(async () => {
        await cleanup(clock);
        log.push('cleanup');
      });
      void clock.setTimer(1_000, () => shutdown.force(), { ref: false });
      await service(s, shutdown, fake);
    });
    return { log, stderr, endedAt };
  };

  it.each([0, 400])('awaits cleanups of %d ms, before the hooks, and reports no work of main', async (ms) => {
    const { log, stderr, endedAt } = await forced((clock) => (ms > 0 ? sleep(ms, { clock }) : undefined));
    expect(log).toEqual(['cleanup', 'db']);
    expect(endedAt).toBe(1_000 + ms);
    expect(stderr.split('stopped with')[1]).not.toContain('main');
  });

  it('awaits them for half of forceTimeout, reports the running one, and runs the hooks', async () => {
    const { log, stderr, endedAt } = await forced(() => new Promise(() => {}));
    expect([log, endedAt]).toEqual([['db'], 1_500]);
    expect(stderr).toContain('main / a cleanup');
  });
});

describe('the warning that main may be waiting for shutdown.stopped()', () => {
  const cleaningFor = async (ms: number): Promise<string> => {
    const { stderr } = await exitOf(async (s, shutdown, clock, fake) => {
      void shutdown.stopped();
      shutdown.add(busy('http', 1, () => sleep(SERVED_AT - 10, { clock })));
      s.defer(() => sleep(ms, { clock }));
      await service(s, shutdown, fake);
    });
    return stderr;
  };

  it('does not come when the cleanups take less than a second', async () => {
    expect(await cleaningFor(900)).not.toContain('may be waiting');
  });

  it('comes when they take longer', async () => {
    expect(await cleaningFor(1_100)).toContain('main may be waiting for shutdown.stopped()');
  });
});

it('a report does not name main as work under way while it only waits for other drainables', async () => {
  let underWay: readonly string[] = [];
  await exitOf(async (s, shutdown, clock, fake) => {
    shutdown.add(busy('http', 1, () => sleep(SERVED_AT, { clock })));
    const look = (): void => {
      underWay = shutdown.report().unfinished.map(({ name }) => name);
    };
    void clock.setTimer(1_000, look, { ref: false });
    await service(s, shutdown, fake);
  });
  expect(underWay).toEqual(['http (1 in flight)']);
});
