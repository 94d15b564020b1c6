// A service in a process of its own, for tests with real signals: `service.ts <hook> <work> <options as JSON>`.
import { setImmediate as turn } from 'node:timers/promises';
import type { CancellationToken } from '@quiesce/cancellation-token';
import { sleep } from '@quiesce/select';
import { type HookPhase, type RunMainOptions, runMain, type Shutdown } from '@quiesce/shutdown';
import { say } from './say.ts';

const [hook = 'quick', work = 'none', json = '{}'] = process.argv.slice(2);
const { resends, exitCode, phase, ...options } = JSON.parse(json) as RunMainOptions & {
  exitCode?: number;
  phase?: HookPhase;
  resends?: number;
};
const forever = (): Promise<never> => new Promise(() => {});

/** The hooks under test. */
const hooks: Record<string, (token: CancellationToken, shutdown: Shutdown) => unknown> = {
  quick: () => {},
  throws: () => {
    throw new Error('disk full');
  },
  rejects: () => Promise.reject(new Error('disk full')),
  hangs: forever,
  obeys: async (token) => {
    await token.cancelled();
    say('hook is cancelled');
    throw token.reason;
  },
  requests: (_, shutdown) => say(`requested again: ${shutdown.request()}`),
  'throws elsewhere': async () => {
    queueMicrotask(() => {
      throw new Error('elsewhere');
    });
    await turn();
  },
  'rejects elsewhere': async () => {
    void Promise.reject(new Error('elsewhere'));
    await turn();
    await turn();
  },
  spins: () => {
    for (;;);
  },
  // Longer than forceTimeout and the margin of a watchdog.
  slow: async () => {
    await sleep(1_500);
    say('hook ends');
  },
};

/** The work in flight when the signal comes. */
const works: Record<string, (shutdown: Shutdown) => unknown> = {
  none: () => {},
  // Only its own token ends it.
  'until stop now': async (shutdown) => {
    await shutdown.stopNow.cancelled();
    say('work is cancelled');
  },
  stuck: forever,
  spins: async (shutdown) => {
    await shutdown.stopAccepting.cancelled();
    await turn();
    for (;;);
  },
};

await runMain(
  async (s, shutdown) => {
    shutdown.hook('telemetry', () => say('telemetry'), { phase: 'final' });
    shutdown.hook('db', () => say('db closed'));
    shutdown.hook(
      'under test',
      (token) => {
        say('hook begins');
        return hooks[hook]?.(token, shutdown);
      },
      { phase },
    );
    process.once('exit', (code) => say(`exit ${code}`));
    s.spawn(() => works[work]?.(shutdown), { name: 'work' });
    s.defer(() => say('scope cleaned up'));
    if (exitCode !== undefined) process.exitCode = exitCode;
    // As a framework does: it cleans up, and then sends the signal again.
    if (resends !== undefined) process.once('SIGTERM', () => setTimeout(process.kill, resends, process.pid, 'SIGTERM'));
    say('ready');
    await shutdown.stopAccepting.cancelled();
    say('stop requested');
  },
  { logger: false, ...options },
);
