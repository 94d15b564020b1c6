// Drainables that are made of functions, in a shutdown.
import { CancellationToken } from '@quiesce/cancellation-token';
import { type DrainableOptions, drainable } from '@quiesce/scope';
import { select, sleep } from '@quiesce/select';
import { ResourcePool, WorkerPool } from '@quiesce/worker-pool';
import { describe, expect, it } from 'vitest';
import { start, thrown } from './vocabulary.ts';

describe('a drainable of functions', () => {
  it('gets its calls in order, and its work is awaited', async () => {
    const { shutdown, clock, log, say, end } = start({ readinessDelay: 10 });
    let inFlightCount = 2;
    shutdown.add(
      drainable({
        name: 'mails',
        inFlightCount: () => inFlightCount,
        announce: () => say('announce'),
        stop: () => say('stop'),
        drain: async () => {
          say('drain');
          await sleep(30, { clock });
          inFlightCount = 0;
        },
        abort: () => say('abort'),
      }),
    );
    expect(shutdown.progress.inFlightCount).toBe(2);
    shutdown.request();
    const { drained, exitCode } = await end();
    expect(log).toEqual(['0 announce', '10 stop', '10 drain']);
    expect([drained.find(({ name }) => name === 'mails'), exitCode]).toEqual([
      { name: 'mails', inFlightCountAtStart: 2, inFlightCount: 0, durationMs: 30, outcome: 'drained' },
      0,
    ]);
  });

  it('is aborted at drainTimeout, and its work in flight is named', async () => {
    const { shutdown, say, log, end } = start({ drainTimeout: 100, cancelTimeout: 50 });
    const aborted = new CancellationToken();
    shutdown.add(
      drainable({
        name: 'mails',
        inFlightCount: () => Number(!aborted.isCancelled),
        inFlightNames: () => ['mail to Ada'],
        stop: () => {},
        drain: () => aborted.cancelled(),
        abort: (reason) => {
          say(`abort ${reason}`);
          aborted.cancel(reason);
        },
      }),
    );
    shutdown.request('deploy');
    expect((await end()).cutOff).toEqual([{ name: 'mails', inFlightCount: 1, names: ['mail to Ada'] }]);
    expect(log).toEqual(['100 abort deploy']);
  });

  it.each<[string, Partial<DrainableOptions>, string, string]>([
    ['a wrong count', { inFlightCount: () => Number.NaN }, 'drain', 'inFlightCount must be an integer from 0'],
    ['a promise of `stop`', { stop: async () => {} }, 'stop', 'stop: expected no promise'],
    ['a `drain` without a promise', { drain: (() => {}) as never }, 'drain', 'drain: expected a promise'],
  ])('has its mistake in the report, with its name: %s', async (_, wrong, call, text) => {
    const { shutdown, end } = start();
    shutdown.add(drainable({ name: 'mails', inFlightCount: () => 0, stop: () => {}, drain: async () => {}, ...wrong }));
    shutdown.request();
    const { errors, exitCode } = await end();
    expect(errors).toEqual([
      {
        where: `${call}() of "mails"`,
        error: expect.objectContaining({ message: expect.stringContaining(`drainable "mails": ${text}`) }),
      },
    ]);
    expect(exitCode).toBe(1);
  });
});

it('`add` refuses the functions themselves, and the error has the correction', () => {
  const { shutdown } = start();
  const functions = { name: 'mails', inFlightCount: () => 0, stop: () => {}, drain: async () => {} };
  expect(thrown(() => shutdown.add(functions as never))).toMatchObject({
    name: 'TypeError',
    message: 'add: inFlightCount: expected a number, got the function "inFlightCount"; write add(drainable({ … }))',
  });
});

describe('a drainable of the functions of pools', () => {
  it('stops, drains and aborts them together', async () => {
    const { shutdown, clock, end } = start({ drainTimeout: 100, cancelTimeout: 50 });
    const workers = new WorkerPool({ name: 'workers', concurrency: 2, clock });
    const connections = new ResourcePool({ name: 'connections', create: () => 'connection', max: 2 });
    shutdown.add(
      drainable({
        name: 'jobs',
        inFlightCount: () => workers.inFlightCount + connections.inFlightCount,
        stop: () => workers.stop(),
        // The jobs need connections until they have ended.
        drain: async (token) => {
          await workers.drain(token);
          connections.stop();
          await connections.drain(token);
        },
        abort: (reason) => workers.abort(reason),
      }),
    );
    const outcomes: string[] = [];
    const job = (name: string, ms: number) =>
      workers
        .execute((token) =>
          connections.use(async () => {
            const { branch } = await select({ token, done: sleep(ms, { clock }) });
            if (branch === 'token') throw token.reason;
          }),
        )
        .then(
          () => void outcomes.push(`${name} done at ${clock.now()}`),
          (reason: unknown) => void outcomes.push(`${name} cancelled at ${clock.now()}: ${String(reason)}`),
        );
    void job('short', 50);
    void job('long', 5_000);
    await clock.advance(1);
    expect(shutdown.progress.inFlightCount).toBe(4);
    shutdown.request('deploy');
    const { cutOff, unfinished } = await end();
    expect(outcomes).toEqual(['short done at 50', 'long cancelled at 101: deploy']);
    expect([cutOff, unfinished]).toEqual([[{ name: 'jobs', inFlightCount: 2 }], []]);
    expect(connections.isClosed).toBe(true);
  });
});
