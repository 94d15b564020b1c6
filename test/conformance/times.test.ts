// Every call with a time limit ends when the time is over, and never before, even on a clock whose timers fire early. Timers of the
// platform do so: they drop fractions, and measure with another clock.
import { CancellationToken, type Clock, type Timer } from '@quiesce/cancellation-token';
import {
  Barrier,
  channel,
  Mutex,
  Notify,
  OnceCell,
  oneshot,
  RwLock,
  Semaphore,
  unboundedChannel,
  type WaitOptions,
  watch,
} from '@quiesce/channel';
import { scope } from '@quiesce/scope';
import { interval, intervalAt, moveOnAfter, select, sleep, sleepUntil, timeout, timeoutAt } from '@quiesce/select';
import { ResourcePool } from '@quiesce/worker-pool';
import { describe, expect, it } from 'vitest';

/** A manual clock whose timers fire almost a millisecond early, but not before some time has passed. */
class EarlyClock implements Clock {
  #now = 0.3;
  readonly #timers: Set<{ readonly at: number; readonly fn: () => void }> = new Set();

  now(): number {
    return this.#now;
  }

  wall(): number {
    return Math.floor(this.#now);
  }

  setTimer(ms: number, fn: () => void): Timer {
    const timer = { at: this.#now + Math.max(0.05, Math.floor(ms) - 0.1), fn };
    this.#timers.add(timer);
    return timer as unknown as Timer;
  }

  clearTimer(timer: Timer): void {
    this.#timers.delete(timer as never);
  }

  get pending(): number {
    return this.#timers.size;
  }

  /** Fires the earliest timer. */
  step(): void {
    const [first] = [...this.#timers].sort((a, b) => a.at - b.at);
    if (first === undefined) throw new Error('no timer is set');
    this.#timers.delete(first);
    this.#now = Math.max(this.#now, first.at);
    first.fn();
  }
}

const never = (): Promise<never> => new Promise(() => {});
const deaf = (): Promise<never> => never();
const obeys = (token: CancellationToken): Promise<never> => token.cancelled().then(() => Promise.reject(token.reason));

/** Waits of channels that do not end without an event. */
const waits: Readonly<Record<string, (options: WaitOptions) => PromiseLike<unknown>>> = {
  'recv()': (options) => channel<number>(1)[1].recv(options),
  'recvMany()': (options) => unboundedChannel<number>()[1].recvMany(2, options),
  'send()': (options) => {
    const [tx] = channel<number>(1);
    tx.trySend(1);
    return tx.send(2, options);
  },
  'reserve()': (options) => {
    const [tx] = channel<number>(1);
    tx.trySend(1);
    return tx.reserve(options);
  },
  'reserveMany()': (options) => {
    const [tx] = channel<number>(2);
    tx.trySend(1);
    return tx.reserveMany(2, options);
  },
  'recv() of a oneshot': (options) => oneshot<number>()[1].recv(options),
  'changed()': (options) => watch(0)[1].changed(options),
  'waitFor()': (options) => watch(0)[1].waitFor((n) => n > 0, options),
  'acquire()': (options) => new Semaphore(0).acquire(options),
  'acquireMany()': (options) => new Semaphore(1).acquireMany(2, options),
  'acquire() of a mutex': (options) => {
    const mutex = new Mutex();
    mutex.tryAcquire();
    return mutex.acquire(options);
  },
  'read()': (options) => {
    const lock = new RwLock();
    lock.tryWrite();
    return lock.read(options);
  },
  'write()': (options) => {
    const lock = new RwLock();
    lock.tryRead();
    return lock.write(options);
  },
  'notified()': (options) => new Notify().notified(options),
  'wait() of a barrier': (options) => new Barrier(2).wait(options),
  'getOrInit()': (options) => new OnceCell<number>().getOrInit(never, options),
};

/** Each call ends, in its own way, when the time is over. */
const calls: Readonly<Record<string, (ms: number, clock: Clock) => PromiseLike<unknown>>> = {
  'CancellationToken.timeout()': (ms, clock) => CancellationToken.timeout(ms, { clock }).cancelled(),
  'withTimeout()': (ms, clock) => new CancellationToken().withTimeout(ms, { clock }).childToken().cancelled(),
  'withDeadline()': (ms, clock) =>
    new CancellationToken().withDeadline(new Date(Math.ceil(clock.now() + ms)), { clock }).cancelled(),
  'a callback at a deadline': (ms, clock) =>
    new Promise((resolve) => void CancellationToken.timeout(ms, { clock }).onCancelled(resolve)),
  'a signal with a deadline': (ms, clock) => {
    const { signal } = CancellationToken.timeout(ms, { clock });
    return new Promise((resolve) => signal.addEventListener('abort', resolve));
  },
  'sleep()': (ms, clock) => sleep(ms, { clock }),
  'sleepUntil()': (ms, clock) => sleepUntil(clock.now() + ms, { clock }),
  'sleep.reset()': (ms, clock) => {
    const moment = sleep(0, { clock });
    moment.reset(ms);
    return moment;
  },
  'tick()': async (ms, clock) => {
    const ticks = interval(ms, { clock });
    await ticks.tick();
    await ticks.tick();
  },
  'intervalAt()': (ms, clock) => intervalAt(clock.now() + ms, 1, { clock }).tick(),
  'sleep() in a select': (ms, clock) => select({ late: sleep(ms, { clock }), never: never() }),
  'timeout() of a promise': (ms, clock) => timeout(ms, never(), { clock }),
  'timeout() of a source': (ms, clock) => timeout(ms, new CancellationToken(), { clock }),
  'timeout() of a function': (ms, clock) => timeout(ms, obeys, { clock }),
  'timeout() that abandons': (ms, clock) => timeout(ms, deaf, { clock, abandon: true }),
  'timeoutAt()': (ms, clock) => timeoutAt(new Date(Math.ceil(clock.now() + ms)), never(), { clock }),
  'moveOnAfter()': (ms, clock) => moveOnAfter(ms, never(), { clock }),
  cleanupTimeout: (ms, clock) => select({ deaf, now: Promise.resolve() }, { cleanupTimeout: ms, clock }),
  'scope({ timeout })': (ms, clock) => scope((s) => obeys(s.token), { timeout: ms, clock }),
  'acquire() of a pool': async (ms, clock) => {
    const pool = new ResourcePool({ create: () => 1, max: 1, clock });
    await pool.acquire();
    await pool.acquire({ timeout: ms });
  },
  ...Object.fromEntries(
    Object.entries(waits).map(([name, start]) => [name, (ms: number, clock: Clock) => start({ timeout: ms, clock })]),
  ),
};

describe.each(Object.entries(calls))('%s', (_, start) => {
  it.each([1, 1.99, 2, 5.5, 250])('is not over before %d ms have passed', async (ms) => {
    const clock = new EarlyClock();
    const begun = clock.now();
    let over: number | undefined;
    const note = (): void => {
      over = clock.now();
    };
    start(ms, clock).then(note, note);
    for (let steps = 0; over === undefined && steps < 100; steps++) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      if (over === undefined && clock.pending > 0) clock.step();
    }
    expect(over).toBeGreaterThanOrEqual(begun + ms);
    expect(over).toBeLessThan(begun + ms + 1.5);
  });
});
