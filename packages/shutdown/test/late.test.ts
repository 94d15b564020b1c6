// Calls and events that are too late: after their phase, or after the end of the shutdown.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setUncaughtHandler } from '@quiesce/cancellation-token';
import { type Drainable, TaskTracker } from '@quiesce/scope';
import { sleep } from '@quiesce/select';
import { formatReport, Shutdown, shutdownChannel } from '@quiesce/shutdown';
import { describe, expect, it } from 'vitest';
import { deaf, start, turn } from './vocabulary.ts';

/** Runs work, and returns the errors that were uncaught during it. */
async function uncaughtIn(work: () => Promise<unknown>): Promise<unknown[]> {
  const caught: unknown[] = [];
  const before = setUncaughtHandler((error) => caught.push(error));
  await work();
  await turn();
  setUncaughtHandler(before);
  return caught;
}

describe('a drainable that fails', () => {
  const failing = (ms: number, clock: Parameters<typeof sleep>[1]): Drainable => ({
    name: 'http',
    inFlightCount: 2,
    stop: () => {},
    drain: async () => {
      await sleep(ms, clock);
      throw new Error(`after ${ms}`);
    },
  });

  it('because of stopAccepting, with nothing in flight, has drained', async () => {
    const { shutdown, end } = start();
    shutdown.add({
      name: 'consumer',
      inFlightCount: 0,
      stop: () => {},
      drain: async () => shutdown.stopAccepting.throwIfCancelled(),
    });
    shutdown.request();
    expect((await end()).exitCode).toBe(0);
  });

  it('while it is awaited has not drained its work in flight', async () => {
    const { shutdown, clock, end } = start();
    shutdown.add(failing(10, { clock }));
    shutdown.request();
    const report = await end();
    expect(report.errors).toMatchObject([{ where: 'drain() of "http"', error: { message: 'after 10' } }]);
    expect(report.drained).toContainEqual(expect.objectContaining({ name: 'http', outcome: 'unfinished' }));
    expect(report.unfinished).toMatchObject([{ name: 'http (2 in flight)' }]);
  });

  it('during cleanup is in the report; after the end its error goes to the uncaught handler', async () => {
    const { shutdown, clock, busy, end } = start({ drainTimeout: 10, cancelTimeout: 10 });
    shutdown.add(failing(30, { clock }));
    shutdown.add(failing(500, { clock }));
    shutdown.hook('db', busy('db', 50));
    shutdown.request();
    const caught = await uncaughtIn(async () => {
      const { errors } = await end();
      expect(errors).toMatchObject([{ where: 'drain() of "http"', error: { message: 'after 30' } }]);
      await clock.advance(1_000);
    });
    expect(caught).toMatchObject([
      { message: expect.stringContaining('drain() of "http"'), cause: { message: 'after 500' } },
    ]);
  });
});

describe('a drainable that ends', () => {
  it('during cleanup was cut off, but is not reported as never finished', async () => {
    const { shutdown, clock, busy, end } = start({ drainTimeout: 10, cancelTimeout: 10 });
    shutdown.add({ name: 'http', inFlightCount: 0, stop: () => {}, drain: () => sleep(30, { clock }).then(() => {}) });
    shutdown.hook('db', busy('db', 50));
    shutdown.request();
    const report = await end();
    expect(report).toMatchObject({ cutOff: [{ name: 'http' }], unfinished: [], exitCode: 1 });
    expect(report.drained).toContainEqual(
      expect.objectContaining({ name: 'http', durationMs: 30, outcome: 'drained' }),
    );
  });

  it('after the end emits no event', async () => {
    const { shutdown, clock, end } = start({ drainTimeout: 10, cancelTimeout: 10 });
    shutdown.add({ name: 'http', inFlightCount: 0, stop: () => {}, drain: () => sleep(30, { clock }).then(() => {}) });
    shutdown.request();
    await end();
    const events: unknown[] = [];
    const listen = (message: unknown): void => void events.push(message);
    subscribe(shutdownChannel, listen);
    await clock.advance(100);
    unsubscribe(shutdownChannel, listen);
    expect(events).toEqual([]);
    expect(shutdown.report().unfinished).toMatchObject([{ name: 'http' }]);
  });
});

describe('work that begins after draining', () => {
  it('is refused as a drainable', async () => {
    const { shutdown, end } = start();
    const tracker = new TaskTracker({ name: 'jobs' });
    shutdown.hook('adds', () => void shutdown.add(tracker));
    shutdown.request();
    expect((await end()).hooks).toMatchObject([{ outcome: 'failed', error: { code: 'ERR_CLOSED' } }]);
    expect(tracker.isClosed).toBe(false);
  });

  it('is refused as a hook of the level `final` after finalTimeout', async () => {
    const { shutdown, end } = start({ finalTimeout: 20 });
    let count = 0;
    const again = (): void => void shutdown.hook(`final ${count++}`, again, { phase: 'final' });
    shutdown.hook('registers', again, { phase: 'final' });
    shutdown.hook('hangs', deaf, { phase: 'final' });
    shutdown.request();
    const { hooks } = await end();
    expect(count).toBe(1);
    expect(hooks.find(({ name }) => name === 'registers')).toMatchObject({
      ...{ outcome: 'failed', error: { code: 'ERR_CLOSED' } },
    });
  });

  it('and has not ended at the end is named, as a guard and as a task of a tracker', async () => {
    const { shutdown, end } = start();
    const tracker = new TaskTracker({ name: 'jobs' });
    shutdown.add(tracker);
    shutdown.hook('begins', () => {
      shutdown.guard('late lease');
      void tracker.spawn(deaf);
    });
    shutdown.request();
    const report = await end();
    expect(report.unfinished).toMatchObject([{ name: 'late lease' }, { name: 'jobs (1 in flight)' }]);
    expect(report.exitCode).toBe(1);
    expect(formatReport(report)).toContain('never finished: late lease');
  });

  it('and has ended by then is not named', async () => {
    const { shutdown, end } = start();
    shutdown.hook('begins', () => shutdown.guard('short lease').dispose());
    shutdown.request();
    expect(await end()).toMatchObject({ unfinished: [], exitCode: 0 });
  });
});

describe('after the end', () => {
  it('taking and disposing a guard, and removing a hook, have no effect', async () => {
    const { shutdown, end } = start();
    const hook = shutdown.hook('db', () => {});
    shutdown.request();
    const report = await end();
    using guard = shutdown.guard('late');
    expect(guard.isHeld).toBe(true);
    expect(hook.dispose()).toBe(false);
    expect([shutdown.request('again'), shutdown.force()]).toEqual([false, false]);
    expect(shutdown.report().request).toEqual(report.request);
    expect(await shutdown.stopped()).toBe(report);
  });

  it('the duration in a report does not grow', async () => {
    const { shutdown, clock, busy, end } = start();
    shutdown.hook('db', busy('db', 5));
    shutdown.request();
    await end();
    await clock.advance(1_000);
    expect(shutdown.report().durationMs).toBe(5);
  });

  it('its tokens are cancelled: a new callback is called at once', async () => {
    const { shutdown, end } = start();
    shutdown.request('why');
    await end();
    const seen: unknown[] = [];
    shutdown.stopNow.onCancelled((reason) => seen.push(reason));
    shutdown.stopAccepting.onCancelled((reason) => seen.push(reason));
    expect(seen).toEqual(['why', 'why']);
  });
});

describe('several shutdowns', () => {
  it('are independent of each other', async () => {
    const one = start();
    const other = start();
    one.shutdown.hook('db', () => one.say('one'));
    other.shutdown.hook('db', () => other.say('other'));
    one.shutdown.request('first');
    await one.end();
    expect([one.log, other.log, other.shutdown.state]).toEqual([['0 one'], [], 'running']);
    other.shutdown.request('second');
    await other.end();
    expect([other.log, other.shutdown.stopNow.reason]).toEqual([['0 other'], 'second']);
  });

  it('can request each other in a cycle', async () => {
    const { shutdown: a, clock } = start();
    const b = new Shutdown({ clock, signal: a.stopAccepting });
    a.hook('the other one', () => b.stopped());
    b.hook('the first one', () => void a.request('back'));
    a.request('forth');
    const [of, ofOther] = await clock.run(() => Promise.all([a.stopped(), b.stopped()]));
    expect([of.exitCode, ofOther.exitCode, of.request?.reason, ofOther.request?.reason]).toEqual([
      0,
      0,
      'forth',
      'forth',
    ]);
  });
});
