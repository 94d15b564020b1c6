import { CancellationToken, source } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { type Drainable, TaskTracker } from '@quiesce/scope';
import { select, sleep } from '@quiesce/select';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deaf, rejection, turn, unhandledIn } from './vocabulary.ts';

const error = new Error('work');

/** Whether a wait has ended by now. */
async function isOver(wait: PromiseLike<void>): Promise<boolean> {
  return Promise.race([wait.then(() => true), turn().then(() => false)]);
}

describe('a tracker', () => {
  it('starts open and empty; close and reopen return whether they changed its state', () => {
    const tracker = new TaskTracker();
    expect([tracker.length, tracker.isEmpty, tracker.isClosed]).toEqual([0, true, false]);
    expect([tracker.close(), tracker.close(), tracker.isClosed]).toEqual([true, false, true]);
    expect([tracker.reopen(), tracker.reopen(), tracker.isClosed]).toEqual([true, false, false]);
  });

  it('counts promises until they have settled, however they settle', async () => {
    const tracker = new TaskTracker();
    const [good, bad] = [deaf<number>(), deaf()];
    const first = tracker.track(good.work());
    const second = tracker.track(bad.work());
    expect(tracker.length).toBe(2);
    good.fulfil(7);
    bad.fail(error);
    expect(await first).toBe(7);
    expect(await rejection(second)).toBe(error);
    expect(tracker.isEmpty).toBe(true);
  });

  it('no longer counts a promise one microtask before code that awaits the outcome resumes', async () => {
    const tracker = new TaskTracker();
    const log: string[] = [];
    const { work, fulfil } = deaf();
    const tracked = tracker.track(work()).then(() => log.push(`awaited, ${tracker.length} left`));
    const watch = (): void => {
      log.push(`${tracker.length}`);
      if (log.length < 5 && tracker.length > 0) queueMicrotask(watch);
    };
    fulfil();
    queueMicrotask(watch);
    await tracked;
    expect(log).toEqual(['0', 'awaited, 0 left']);
  });

  it('starts work and counts it, even when closed, and even if the work throws synchronously', async () => {
    const tracker = new TaskTracker();
    tracker.close();
    const spawned = tracker.spawn(() => sleep(1).then(() => 'done'));
    expect(tracker.length).toBe(1);
    expect(await spawned).toBe('done');
    const thrown = tracker.spawn((): number => {
      throw error;
    });
    expect(tracker.length).toBe(1);
    expect(await rejection(thrown)).toBe(error);
    expect(tracker.length).toBe(0);
  });

  it('does not fail when work fails: the promise has the error, and it is unhandled if it has no handler', async () => {
    const tracker = new TaskTracker();
    tracker.close();
    const unhandled = await unhandledIn(async () => {
      void tracker.spawn(() => Promise.reject(error));
      await tracker.wait();
    });
    expect(unhandled).toEqual([error]);
  });

  it('throws for a wrong argument, and then counts nothing', async () => {
    const tracker = new TaskTracker();
    expect(await rejection(tracker.track(5 as never))).toMatchObject({
      message: 'track: expected a promise, got the number 5',
    });
    expect(await rejection(tracker.spawn(5 as never))).toBeInstanceOf(TypeError);
    expect(tracker.length).toBe(0);
  });

  it('counts a thenable that calls back twice once', async () => {
    const tracker = new TaskTracker();
    const twice = {
      // biome-ignore lint/suspicious/noThenProperty: a hostile one
      then(resolve: (n: number) => void) {
        resolve(1);
        resolve(2);
      },
    };
    expect(await tracker.track(twice as never)).toBe(1);
    expect(tracker.length).toBe(0);
  });
});

describe('a guard of a tracker', () => {
  it('counts as one until it is disposed, once', () => {
    const tracker = new TaskTracker();
    const guard = tracker.guard();
    {
      using second = guard.tracker.guard();
      expect([second.tracker, tracker.length]).toEqual([tracker, 2]);
    }
    expect(tracker.length).toBe(1);
    guard.dispose();
    guard.dispose();
    expect(tracker.length).toBe(0);
  });
});

describe('a wait for a tracker', () => {
  it('ends when the tracker is closed and empty, whichever comes last', async () => {
    const tracker = new TaskTracker();
    const guard = tracker.guard();
    const waits = [tracker.wait(), tracker.wait()];
    guard.dispose();
    expect(await isOver(waits[0] as PromiseLike<void>)).toBe(false);
    const second = tracker.guard();
    tracker.close();
    expect(await isOver(waits[0] as PromiseLike<void>)).toBe(false);
    second.dispose();
    expect(await Promise.all(waits.map(isOver))).toEqual([true, true]);
  });

  it('ends even if the tracker was reopened before any code awaited it', async () => {
    const tracker = new TaskTracker();
    const before = tracker.wait();
    tracker.close();
    tracker.reopen();
    tracker.guard();
    const after = tracker.wait();
    expect([await isOver(before), await isOver(after)]).toEqual([true, false]);
    const closed = new TaskTracker();
    closed.close();
    const atOnce = closed.wait();
    closed.reopen();
    expect(await isOver(atOnce)).toBe(true);
  });

  it('is a new object for each call, stays ready once it is, and can be awaited again', async () => {
    const tracker = new TaskTracker();
    const wait = tracker.wait();
    expect(tracker.wait()).not.toBe(wait);
    tracker.close();
    tracker.reopen();
    expect([await wait, await wait]).toEqual([undefined, undefined]);
  });

  it('is a branch of a select that leaves nothing behind when it loses', async () => {
    const clock = new VirtualClock();
    const tracker = new TaskTracker();
    const guard = tracker.guard();
    tracker.close();
    const idle = tracker.wait();
    expect(await clock.run(() => select({ idle, tick: sleep(5, { clock }) }))).toMatchObject({ branch: 'tick' });
    guard.dispose();
    expect(await select({ idle, tick: sleep(5, { clock }) })).toEqual({ branch: 'idle', value: undefined });
  });

  it('can be created, and the tracker refilled, by a woken waiter', async () => {
    const tracker = new TaskTracker();
    const log: string[] = [];
    const first = tracker.wait().then(() => {
      log.push('first');
      tracker.guard();
    });
    const second = tracker.wait().then(() => log.push('second'));
    tracker.close();
    await Promise.all([first, second]);
    expect(log).toEqual(['first', 'second']);
    expect(await isOver(tracker.wait())).toBe(false);
  });
});

describe('a tracker that is drained', () => {
  it('stops, waits for work in progress, and gives up when its token is cancelled', async () => {
    const tracker: Drainable = new TaskTracker({ name: 'requests' });
    const work = deaf();
    const tracked = (tracker as TaskTracker).track(work.work());
    expect([tracker.name, tracker.inFlightCount]).toEqual(['requests', 1]);
    tracker.stop();
    const token = new CancellationToken();
    const drained = tracker.drain(token);
    token.cancel('deadline');
    expect(await rejection(drained)).toBe('deadline');
    work.fulfil();
    await tracked;
    await tracker.drain(new CancellationToken());
    expect(new TaskTracker().name).toBe('tasks');
  });
});

describe('a tracker under random operations', () => {
  const operation = fc.oneof(fc.constantFrom('guard', 'close', 'reopen', 'wait'), fc.record({ dispose: fc.nat(9) }));

  it('behaves as a naive model', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        const tracker = new TaskTracker();
        const guards: { dispose(): void }[] = [];
        /** Each wait, and whether the tracker was closed and empty since, checked after every step. */
        const waits: { wait: ReturnType<TaskTracker['wait']>; isOver: boolean }[] = [];
        let isClosed = false;
        for (const op of operations) {
          if (op === 'guard') guards.push(tracker.guard());
          else if (op === 'close') expect(tracker.close()).toBe(!isClosed);
          else if (op === 'reopen') expect(tracker.reopen()).toBe(isClosed);
          else if (op === 'wait') waits.push({ wait: tracker.wait(), isOver: false });
          else if (typeof op === 'object') guards.splice(op.dispose, 1)[0]?.dispose();
          if (op === 'close') isClosed = true;
          if (op === 'reopen') isClosed = false;
          for (const one of waits) one.isOver ||= isClosed && guards.length === 0;
          expect(tracker.length).toBe(guards.length);
          for (const one of waits) expect(one.wait[source].poll() === undefined).toBe(one.isOver);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('drain', () => {
  it('accepts an AbortSignal too, and rejects for any other value', async () => {
    const tracker: Drainable = new TaskTracker();
    tracker.stop();
    const controller = new AbortController();
    using _ = (tracker as TaskTracker).guard();
    const drained = rejection(tracker.drain(controller.signal));
    controller.abort('deploy');
    expect(await drained).toBe('deploy');
    expect(await rejection(tracker.drain({} as never))).toBeInstanceOf(TypeError);
  });
});

describe('a promise with a wrong `then`', () => {
  it('is counted once, until it has really settled, or throws without being counted', async () => {
    const tracker = new TaskTracker();
    const twice = Object.assign(Promise.resolve(1), {
      // biome-ignore lint/suspicious/noThenProperty: that is the point
      then(fulfilled: (value: number) => void) {
        fulfilled(1);
        fulfilled(2);
        return Promise.resolve();
      },
    });
    const tracked = tracker.track(twice as unknown as Promise<number>);
    expect(tracker.length).toBe(1);
    await tracked;
    expect(tracker.length).toBe(0);
    const poison = new Error('poison');
    const poisoned = (lives: number): Promise<never> =>
      Object.defineProperty(new Promise<never>(() => {}), 'constructor', {
        get() {
          if (lives-- > 0) return Promise;
          throw poison;
        },
      });
    for (const lives of [0, 1]) expect(await rejection(tracker.track(poisoned(lives)))).toBe(poison);
    const getter = {
      // biome-ignore lint/suspicious/noThenProperty: that is the point
      get then(): never {
        throw poison;
      },
    };
    expect(await rejection(tracker.track(getter as never))).toBe(poison);
    expect(tracker.length).toBe(0);
  });
});
