// `drain` is called once, and `abort` when time has run out.
import { CancellationToken } from '@quiesce/cancellation-token';
import { type Drainable, drainable, TaskTracker } from '@quiesce/scope';
import { describe, expect, it } from 'vitest';
import { deaf, job, pool, start, thrown } from './vocabulary.ts';

/** A drainable that logs each call, and drains until its signal is cancelled. */
function server(name: string, say: (what: string) => void, more: Partial<Drainable> = {}): Drainable {
  return {
    name,
    inFlightCount: 1,
    announce: () => say(`${name} announce`),
    stop: () => say(`${name} stop`),
    abort: (reason) => say(`${name} abort ${reason}`),
    drain: async (signal) => {
      say(`${name} drain`);
      const token = CancellationToken.from(signal);
      await token.cancelled();
      say(`${name} signal ${token.reason}`);
      throw token.reason;
    },
    ...more,
  };
}

describe('abort', () => {
  it('is called once, at drainTimeout, with the reason of stopNow, and the signal of `drain` is cancelled after cancelTimeout', async () => {
    const { shutdown, log, say, end } = start({ drainTimeout: 100, cancelTimeout: 50 });
    shutdown.add(server('http', say));
    shutdown.stopNow.onCancelled((reason) => say(`stop now ${reason}`));
    shutdown.hook('db', () => say('db'));
    shutdown.request('deploy');
    expect(await end()).toMatchObject({ errors: [], exitCode: 1, cutOff: [{ name: 'http', inFlightCount: 1 }] });
    expect(log).toEqual([
      ...['0 http announce', '0 http stop', '0 http drain', '100 stop now deploy', '100 http abort deploy'],
      ...['150 http signal deploy', '150 db'],
    ]);
  });

  it('is not called when the work has ended by drainTimeout, even when other work has not', async () => {
    const { shutdown, clock, end } = start({ drainTimeout: 100, cancelTimeout: 50 });
    const [quick, slow] = [job('quick'), job('slow')];
    shutdown.add(quick.drainable);
    shutdown.add(slow.drainable);
    shutdown.request();
    await clock.advance(10);
    quick.finish();
    await end();
    expect([quick.seen, slow.seen]).toEqual([
      ['stop', 'drain', 'done'],
      ['stop', 'drain', 'abort', 'signal'],
    ]);
  });

  it('is called synchronously by a force, and cancels the signal of `drain`', async () => {
    const { shutdown, clock, log, say, end } = start({ drainTimeout: 100, cancelTimeout: 50 });
    shutdown.add(server('http', say));
    shutdown.request('deploy');
    await clock.advance(10);
    shutdown.force();
    expect(log.slice(3)).toEqual(['10 http abort deploy']);
    await end();
    expect(log.slice(4)).toEqual(['10 http signal deploy']);
  });

  it('is called after `stop` and before `drain`, when the shutdown is forced before draining', async () => {
    const { shutdown, clock, log, say, end } = start({ readinessDelay: 50 });
    shutdown.add(server('http', say));
    shutdown.request('deploy');
    await clock.advance(10);
    shutdown.force();
    expect(log).toEqual(['0 http announce']);
    await end();
    expect(log.slice(1)).toEqual(
      ['http stop', 'http abort deploy', 'http drain', 'http signal deploy'].map((s) => `10 ${s}`),
    );
  });

  it('is called at once on a drainable that is added after drainTimeout', async () => {
    const { shutdown, clock, log, say, end } = start({ drainTimeout: 100, cancelTimeout: 50 });
    shutdown.guard('work');
    shutdown.request('deploy');
    await clock.advance(120);
    const added = shutdown.add(server('late', say));
    expect(log).toEqual(['late announce', 'late stop', 'late abort deploy', 'late drain'].map((s) => `120 ${s}`));
    expect(added.dispose()).toBe(false);
    await end();
    expect(log.slice(4)).toEqual(['150 late signal deploy']);
  });

  it('lets a drain that ends in time count as drained, and its work as cut off', async () => {
    const { shutdown, clock, log, say, end } = start({ drainTimeout: 100, cancelTimeout: 50 });
    const { drainable, cut, jobs } = pool(0, clock);
    void jobs.spawn(() => cut.cancelled());
    shutdown.add(drainable);
    shutdown.hook('db', () => say('db'));
    shutdown.request();
    const report = await end();
    expect(log).toEqual(['100 db']);
    expect(report).toMatchObject({ cutOff: [{ name: 'pool', inFlightCount: 1 }], unfinished: [], errors: [] });
    expect(report.drained).toContainEqual(
      expect.objectContaining({ name: 'pool', outcome: 'drained', durationMs: 100 }),
    );
  });

  it('is optional: work without it is awaited until cancelTimeout', async () => {
    const { shutdown, log, say, end } = start({ drainTimeout: 100, cancelTimeout: 50 });
    shutdown.add(server('plain', say, { abort: undefined as never }));
    const requests = new TaskTracker({ name: 'requests' });
    void requests.spawn(() => shutdown.stopNow.cancelled());
    shutdown.add(requests);
    shutdown.request('deploy');
    const { unfinished, errors } = await end();
    expect(log.slice(3)).toEqual(['150 plain signal deploy']);
    expect([unfinished.map(({ name }) => name), errors]).toEqual([['plain (1 in flight)'], []]);
  });

  it('does not make the shutdown wait for a drain that ignores it, and its signal too', async () => {
    const { shutdown, log, say, end } = start({ drainTimeout: 100, cancelTimeout: 50 });
    shutdown.add(server('deaf', say, { drain: deaf }));
    shutdown.hook('db', () => say('db'));
    shutdown.request('deploy');
    const { unfinished } = await end();
    expect(log.slice(2)).toEqual(['100 deaf abort deploy', '150 db']);
    expect(unfinished).toMatchObject([{ name: 'deaf (1 in flight)', ageMs: 150 }]);
  });

  const boom = new Error('boom');
  it.each([
    [
      'throws',
      () => {
        throw boom;
      },
    ],
    ['rejects', () => Promise.reject(boom) as never],
  ])('that %s is recorded, and the other drainables are aborted', async (_, abort) => {
    const { shutdown, log, say, end } = start({ drainTimeout: 100, cancelTimeout: 50 });
    shutdown.add(server('bad', say, { abort }));
    shutdown.add(server('good', say));
    shutdown.request('deploy');
    const report = await end();
    expect(report.errors).toEqual([{ where: 'abort() of "bad"', error: boom }]);
    expect(report.exitCode).toBe(1);
    expect(log.filter((line) => line.startsWith('100'))).toEqual(['100 good abort deploy']);
  });

  it('may force the shutdown, and is not called again', async () => {
    const { shutdown, log, say, end } = start({ drainTimeout: 100, cancelTimeout: 50 });
    const abort = (): void => {
      say('abort');
      shutdown.force();
    };
    shutdown.add(server('http', say, { abort }));
    shutdown.request('deploy');
    await end();
    expect(log.slice(3)).toEqual(['100 abort', '100 http signal deploy']);
  });

  it('is called once when `stop` of a drainable that is added late forces the shutdown', async () => {
    const { shutdown, clock, log, say, end } = start({ drainTimeout: 100, cancelTimeout: 50 });
    shutdown.guard('work');
    shutdown.request('deploy');
    await clock.advance(10);
    shutdown.add(server('late', say, { stop: () => void shutdown.force() }));
    await end();
    expect(log).toEqual(
      ['late announce', 'late abort deploy', 'late drain', 'late signal deploy'].map((s) => `10 ${s}`),
    );
  });

  it.each([true, null, 'yes', {}])('that is not a function (%s) is refused', (abort) => {
    const { shutdown, say } = start();
    expect(thrown(() => shutdown.add(server('http', say, { abort: abort as never })))).toMatchObject({
      name: 'TypeError',
      message: expect.stringContaining('add: abort: expected a function'),
    });
  });
});

it('a drainable whose drain fails early is aborted before the hooks run', async () => {
  const { shutdown, end, say, log } = start();
  let inFlightCount = 1;
  shutdown.add({
    name: 'jobs',
    get inFlightCount() {
      return inFlightCount;
    },
    stop: () => {},
    drain: () => Promise.reject(new Error('early')),
    abort: () => {
      inFlightCount = 0;
      say('abort');
    },
  });
  shutdown.hook('db', () => say(`db, in flight: ${inFlightCount}`));
  shutdown.request('deploy');
  await end();
  expect(log).toEqual(['0 abort', '0 db, in flight: 0']);
});

it.each([
  ['disposes', async (signal: CancellationToken) => signal.dispose()],
  ['cancels', async (signal: CancellationToken) => void signal.cancel('mine')],
])('a drainable that %s its signal affects no other', async (_, act) => {
  const { shutdown, end, say, log } = start({ drainTimeout: 100, cancelTimeout: 50 });
  shutdown.add(drainable({ name: 'a', inFlightCount: () => 0, stop: () => {}, drain: act }));
  shutdown.add(server('b', say));
  shutdown.request('deploy');
  await end();
  expect(log.slice(2)).toEqual(['0 b drain', '100 b abort deploy', '150 b signal deploy']);
});
