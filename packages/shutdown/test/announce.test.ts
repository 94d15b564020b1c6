// The notices to drainables: `announce` when stopping begins, `stop` when accepting ends.
import type { Drainable } from '@quiesce/scope';
import { sleep } from '@quiesce/select';
import type { Shutdown } from '@quiesce/shutdown';
import { describe, expect, it } from 'vitest';
import { start, thrown } from './vocabulary.ts';

/** A drainable that logs each call. */
function server(name: string, say: (what: string) => void, more: Partial<Drainable> = {}): Drainable {
  return {
    name,
    inFlightCount: 0,
    announce: () => say(`${name} announce`),
    stop: () => say(`${name} stop`),
    drain: async () => say(`${name} drain`),
    ...more,
  };
}

describe('announce', () => {
  it('is called when stopping begins, before its hooks, and `stop` is called after the delay', async () => {
    const { shutdown, log, say, end } = start({ readinessDelay: 50 });
    shutdown.add(server('http', say));
    shutdown.hook('deregister', () => say('deregister'), { phase: 'stopping' });
    shutdown.stopAccepting.onCancelled(() => say('stop accepting'));
    shutdown.request();
    expect(log).toEqual([]);
    expect((await end()).exitCode).toBe(0);
    expect(log).toEqual([...['0 http announce', '0 deregister', '50 stop accepting', '50 http stop', '50 http drain']]);
  });

  it('is called once on every drainable before any is stopped, also after a force', async () => {
    const { shutdown, log, say, end } = start({ readinessDelay: 50 });
    shutdown.add(server('a', say));
    shutdown.add(server('b', say));
    shutdown.force();
    await end();
    expect(log).toEqual(
      ['a announce', 'b announce', 'a stop', 'b stop', 'a drain', 'b drain'].map((what) => `0 ${what}`),
    );
  });

  it('is called at once on a drainable that is added during stopping, and together with `stop` on a later one', async () => {
    const { shutdown, clock, log, say, end } = start({ readinessDelay: 50 });
    const guard = shutdown.guard('work');
    shutdown.request();
    await clock.advance(10);
    const added = shutdown.add(server('gone', say));
    shutdown.add(server('early', say));
    expect(log).toEqual(['10 gone announce', '10 early announce']);
    expect([added.dispose(), added.dispose()]).toEqual([true, false]);
    await clock.advance(50);
    shutdown.add(server('late', say));
    expect(log.slice(2)).toEqual([
      ...['50 early stop', '50 early drain', '60 late announce', '60 late stop', '60 late drain'],
    ]);
    guard.dispose();
    await end();
    expect(log).toHaveLength(7);
  });

  it('is optional', async () => {
    const { shutdown, log, say, end } = start();
    shutdown.add(server('http', say, { announce: undefined as never }));
    shutdown.request();
    expect((await end()).errors).toEqual([]);
    expect(log).toEqual(['0 http stop', '0 http drain']);
  });

  it('is called as a method, and may add other drainables', async () => {
    const { shutdown, log, say, end } = start();
    class Http implements Drainable {
      readonly name = 'http';
      readonly inFlightCount = 0;
      readonly #shutdown: Shutdown;
      constructor(of: Shutdown) {
        this.#shutdown = of;
      }
      announce(): void {
        this.#shutdown.add(server('other', say));
      }
      stop(): void {}
      async drain(): Promise<void> {}
    }
    shutdown.add(new Http(shutdown));
    shutdown.request();
    expect((await end()).errors).toEqual([]);
    expect(log).toEqual(['0 other announce', '0 other stop', '0 other drain']);
  });

  const boom = new Error('boom');
  it.each([
    [
      'throws',
      'announce',
      () => {
        throw boom;
      },
    ],
    ['rejects', 'announce', () => Promise.reject(boom) as never],
    ['rejects', 'stop', () => Promise.reject(boom) as never],
  ] as const)('that %s is recorded, and the shutdown continues (%s)', async (_, method, fail) => {
    const { shutdown, clock, log, say, end } = start({ readinessDelay: 10 });
    shutdown.add(server('bad', say, { [method]: fail }));
    shutdown.add(server('good', say));
    shutdown.hook('slow', () => sleep(5, { clock }).then(() => {}));
    shutdown.request();
    const report = await end();
    expect(report.errors).toEqual([{ where: `${method}() of "bad"`, error: boom }]);
    expect(report.exitCode).toBe(1);
    expect(log.filter((line) => line.includes('good'))).toEqual(['0 good announce', '10 good stop', '10 good drain']);
  });

  it.each([true, null, 'yes', {}])('that is not a function (%s) is refused', (announce) => {
    const { shutdown, say } = start();
    expect(thrown(() => shutdown.add(server('http', say, { announce: announce as never })))).toMatchObject({
      name: 'TypeError',
      message: expect.stringContaining('announce'),
    });
  });
});
