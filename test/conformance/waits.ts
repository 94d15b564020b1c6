// The state machine of waits.test.ts and waits-*.slow.test.ts. Every wait polls, parks and polls again, and any event may happen at
// each of these steps. These tests let every event happen: for each kind of source, gate and wait, every event happens at every step,
// and every two events happen at steps that are close to each other.
import { broadcast } from '@quiesce/broadcast-channel';
import {
  CancellationToken,
  type Clock,
  PENDING,
  type Registration,
  type Source,
  type SourceProtocol,
  source,
  type Timer,
  type Waiter,
  wait,
} from '@quiesce/cancellation-token';
import { untilCancelled } from '@quiesce/cancellation-token/internal';
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
  watch,
} from '@quiesce/channel';
import { JoinSet } from '@quiesce/scope';
import { interval, select, selectEach, settle, sleep } from '@quiesce/select';
import { ResourcePool } from '@quiesce/worker-pool';
import { describe, expect, it } from 'vitest';

/** The deadline of each gate, and the end of sleeps. */
const DEADLINE = 20;
const MOMENT = 1_000;

/** A manual clock. Each call of it is a step at which time may pass. */
class StepClock implements Clock {
  time = 0;
  readonly timers: Set<{ at: number; fn: () => void }> = new Set();
  readonly #step: () => void;

  constructor(step: () => void) {
    this.#step = step;
  }

  now(): number {
    this.#step();
    return this.time;
  }

  wall(): number {
    return this.time;
  }

  setTimer(ms: number, fn: () => void): Timer {
    this.#step();
    const timer = { at: this.time + ms, fn };
    this.timers.add(timer);
    this.#step();
    return timer as unknown as Timer;
  }

  clearTimer(timer: Timer): void {
    this.#step();
    this.timers.delete(timer as never);
  }

  /** Fires the timers whose time has come. */
  fire(): void {
    for (const timer of this.timers) {
      if (timer.at > this.time) continue;
      this.timers.delete(timer);
      timer.fn();
    }
  }
}

/** A source with a step before and after each call. Records which waiters were parked. */
function probe<T>({ [source]: inner }: Source<T>, step: () => void, parked: Set<Waiter>): Source<T> {
  inner.defer?.();
  const protocol: SourceProtocol<T> = {
    ...(inner.once ? { once: true } : {}),
    poll: () => {
      step();
      const value = inner.poll();
      step();
      return value;
    },
    park: (waiter) => {
      parked.add(waiter);
      step();
      inner.park(waiter);
      step();
    },
    unpark: (waiter) => inner.unpark(waiter),
  };
  return { [source]: protocol };
}

/** A source under test that is pending. */
interface Subject {
  readonly from: () => Source<unknown>;
  /** Makes the source ready. Idempotent. */
  ready(): void;
  /** The same wait with a signal of its own, if the call takes one. */
  readonly limited?: (signal: CancellationToken) => PromiseLike<unknown>;
  /** Whether the value is still there for others, or `undefined` for a source that keeps its value. */
  readonly isLeft: (() => boolean) | undefined;
}

const once = (fn: () => void): (() => void) => {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    fn();
  };
};

/** A user's source: it wakes its waiters, and keeps no record of them. */
class Flag implements Source<true> {
  #isUp = false;
  readonly #waiters = new Set<Waiter>();
  raise(): void {
    this.#isUp = true;
    const woken = [...this.#waiters];
    this.#waiters.clear();
    for (const waiter of woken) waiter.wake();
  }
  readonly [source] = {
    once: true as const,
    poll: (): true | typeof PENDING => (this.#isUp ? true : PENDING),
    park: (waiter: Waiter): void => void this.#waiters.add(waiter),
    unpark: (waiter: Waiter): void => void this.#waiters.delete(waiter),
  };
}

const subjects: Readonly<Record<string, (clock: StepClock) => Subject>> = {
  token: () => {
    const token = new CancellationToken();
    return { from: () => token, ready: () => void token.cancel('ready'), isLeft: undefined };
  },
  'mpsc receiver': () => {
    const [tx, rx] = channel<string>(1);
    const limited = (signal: CancellationToken) => rx.recv({ signal });
    return { from: () => rx, ready: once(() => void tx.trySend('ready')), limited, isLeft: () => rx.length === 1 };
  },
  'recv() of mpsc': () => {
    const [tx, rx] = unboundedChannel<string>();
    const limited = (signal: CancellationToken) => rx.values({ signal }).next();
    return { from: () => rx.recv(), ready: once(() => tx.send('ready')), limited, isLeft: () => rx.length === 1 };
  },
  'recvMany() of mpsc': () => {
    const [tx, rx] = unboundedChannel<string>();
    const limited = (signal: CancellationToken) => rx.recvMany(3, { signal });
    return { from: () => rx.recvMany(3), ready: once(() => tx.send('ready')), limited, isLeft: () => rx.length === 1 };
  },
  'broadcast receiver': () => {
    const [tx, rx] = broadcast<string>(1);
    const limited = (signal: CancellationToken) => rx.recv({ signal });
    return { from: () => rx, ready: once(() => void tx.send('ready')), limited, isLeft: () => rx.length === 1 };
  },
  'recv() of broadcast': () => {
    const [tx, rx] = broadcast<string>(1);
    const limited = (signal: CancellationToken) => rx.values({ signal }).next();
    return { from: () => rx.recv(), ready: once(() => void tx.send('ready')), limited, isLeft: () => rx.length === 1 };
  },
  'recvMany() of broadcast': () => {
    const [tx, rx] = broadcast<string>(1);
    const limited = (signal: CancellationToken) => rx.recvMany(3, { signal });
    return {
      from: () => rx.recvMany(3),
      ready: once(() => void tx.send('ready')),
      limited,
      isLeft: () => rx.length === 1,
    };
  },
  'watch receiver': () => {
    const [tx, rx] = watch('before');
    const limited = (signal: CancellationToken) => rx.changed({ signal });
    return { from: () => rx, ready: once(() => void tx.send('ready')), limited, isLeft: () => rx.hasChanged() };
  },
  'changed()': () => {
    const [tx, rx] = watch('before');
    const limited = (signal: CancellationToken) => rx.waitFor((value) => value === 'ready', { signal });
    return {
      from: () => rx.changed(),
      ready: once(() => void tx.send('ready')),
      limited,
      isLeft: () => rx.hasChanged(),
    };
  },
  oneshot: () => {
    const [tx, rx] = oneshot<string>();
    const limited = (signal: CancellationToken) => rx.recv({ signal });
    return { from: () => rx, ready: once(() => void tx.send('ready')), limited, isLeft: undefined };
  },
  semaphore: () => {
    const semaphore = new Semaphore(2);
    const held = semaphore.tryAcquire();
    const limited = (signal: CancellationToken) => semaphore.acquireMany(2, { signal });
    return {
      from: () => semaphore.acquireMany(2),
      ready: () => void (held.ok && held.value.release()),
      limited,
      isLeft: () => semaphore.availablePermits === 2,
    };
  },
  mutex: () => {
    const mutex = new Mutex();
    const held = mutex.tryAcquire();
    const limited = (signal: CancellationToken) => mutex.acquire({ signal });
    return {
      from: () => mutex.acquire(),
      ready: () => void (held.ok && held.value.release()),
      limited,
      isLeft: () => !mutex.isLocked,
    };
  },
  notify: () => {
    const notify = new Notify();
    const limited = (signal: CancellationToken) => notify.notified({ signal });
    return {
      from: () => notify.notified(),
      ready: once(() => notify.notifyOne()),
      limited,
      isLeft: () => notify.isNotified,
    };
  },
  'read lock': () => {
    const lock = new RwLock();
    const held = lock.tryWrite();
    const limited = (signal: CancellationToken) => lock.read({ signal });
    return {
      from: () => lock.read(),
      ready: () => void (held.ok && held.value.release()),
      limited,
      isLeft: () => !lock.isLocked,
    };
  },
  'write lock': () => {
    const lock = new RwLock();
    const held = lock.tryRead();
    const limited = (signal: CancellationToken) => lock.write({ signal });
    return {
      from: () => lock.write(),
      ready: () => void (held.ok && held.value.release()),
      limited,
      isLeft: () => !lock.isLocked,
    };
  },
  barrier: () => {
    const barrier = new Barrier(2);
    const limited = (signal: CancellationToken) => barrier.wait({ signal });
    // The other party has passed, even when this one sees at its wake-up that its deadline is over.
    const ready = once(() => void barrier.wait().then(() => {}));
    return { from: () => barrier.wait(), ready, limited, isLeft: undefined };
  },
  'once cell': () => {
    const cell = new OnceCell<string>();
    let end!: (value: string) => void;
    const made = new Promise<string>((resolve) => (end = resolve));
    const limited = (signal: CancellationToken) => cell.getOrInit(() => made, { signal });
    return { from: () => cell.getOrInit(() => made), ready: () => end('ready'), limited, isLeft: undefined };
  },
  'acquire() of a pool': () => {
    const pool = new ResourcePool({ create: () => 'ready', max: 1 });
    const held = pool.acquire();
    const limited = (signal: CancellationToken) => pool.acquire({ signal });
    const ready = once(() => void held.then((lease) => lease.release()));
    return { from: () => pool.acquire(), ready, limited, isLeft: () => pool.inFlightCount === 0 };
  },
  'room in a channel': () => {
    const [tx, rx] = channel<string>(2);
    tx.trySend('before');
    const limited = (signal: CancellationToken) => tx.reserveMany(2, { signal });
    return {
      from: () => tx.reserveMany(2),
      ready: once(() => void rx.tryRecv()),
      limited,
      isLeft: () => tx.capacity === 2,
    };
  },
  sleep: (clock) => ({
    from: () => sleep(MOMENT, { clock }),
    ready: () => {
      clock.time = Math.max(clock.time, 3 * MOMENT);
    },
    isLeft: undefined,
  }),
  interval: (clock) => {
    const ticks = interval(MOMENT, { clock, missed: 'delay' });
    ticks[source].poll();
    const ready = (): void => {
      clock.time = Math.max(clock.time, 3 * MOMENT);
    };
    return { from: () => ticks, ready, isLeft: () => ticks[source].poll() !== PENDING };
  },
  'joinNext()': () => {
    const set = new JoinSet<string>();
    let end!: (value: string) => void;
    set.spawn(() => new Promise<string>((resolve) => (end = resolve)));
    return { from: () => set.joinNext(), ready: () => end('ready'), isLeft: () => set.length === 1 };
  },
  'a source of a user': () => {
    const flag = new Flag();
    return { from: () => flag, ready: () => flag.raise(), isLeft: undefined };
  },
};

/** Each gate gets the signal of the caller, and a token with a deadline. */
const gates: Readonly<Record<string, (stop: CancellationToken, late: CancellationToken) => CancellationToken>> = {
  token: (stop) => stop,
  deadline: (_, late) => late,
  'a deadline below a token': (stop, late) => CancellationToken.any([stop, late]).childToken(),
  any: (stop, late) => CancellationToken.any([late, stop]),
  all: (stop, late) => CancellationToken.all([late, stop]),
  both: (stop, late) => CancellationToken.any([stop, CancellationToken.all([late, new CancellationToken()])]),
};

/** The gates in two halves, for two files that run concurrently. */
export const halvesOfGates = [Object.keys(gates).slice(0, 3), Object.keys(gates).slice(3)] as const;

/** The ways to wait. Each rejects, or returns `cancelled: true`, when the gate was cancelled. */
const ways: Readonly<Record<string, (subject: Subject, gate: CancellationToken, run: Run) => PromiseLike<unknown>>> = {
  select: ({ from }, gate, run) => select({ from: run.probe(from()) }, { signal: gate }),
  'select with the gate as a branch': async ({ from }, gate, run) => {
    const outcome = await select({ gate, from: run.probe(from()) });
    if (outcome.branch === 'gate') throw outcome.value;
  },
  'select among others': ({ from }, gate, run) =>
    select(
      { other: new CancellationToken(), from: settle(run.probe(from())), promise: new Promise(() => {}) },
      { signal: gate },
    ),
  selectEach: async ({ from }, gate, run) => {
    for await (const outcome of selectEach({ from: run.probe(from()) }, { signal: gate })) return outcome;
    throw new Error('the loop has ended');
  },
  untilCancelled: async ({ from }, gate, run) => {
    const outcome = await wait(untilCancelled(gate, run.probe(from())));
    if (outcome.status === 'cancelled') throw outcome.reason;
  },
  'its own signal': ({ limited, from }, gate, run) =>
    limited === undefined ? select({ from: run.probe(from()) }, { signal: gate }) : limited(gate),
};

type Event = 'deadline' | 'wake' | 'cancel';
const events: readonly Event[] = ['deadline', 'wake', 'cancel'];
/** The events at each step. */
type Plan = ReadonlyMap<number, readonly Event[]>;

/** One wait, with the events of a plan. */
class Run {
  readonly clock: StepClock = new StepClock(() => this.step(['deadline']));
  readonly stop: CancellationToken = new CancellationToken();
  readonly parked: Set<Waiter> = new Set();
  readonly #plan: Plan;
  readonly #subject: Subject;
  readonly #gate: CancellationToken;
  readonly #farewell: Registration | undefined;
  readonly happened: Set<Event> = new Set();
  steps = 0;
  state: 'waits' | 'has the value' | 'was given up' | 'was given up without a reason' = 'waits';
  #isOn = false;

  constructor(subject: string, gate: string, plan: Plan, hasFarewell: boolean) {
    this.#plan = plan;
    this.#subject = (subjects[subject] as (clock: StepClock) => Subject)(this.clock);
    const late = CancellationToken.timeout(DEADLINE, { clock: this.clock });
    this.#gate = (gates[gate] as (stop: CancellationToken, late: CancellationToken) => CancellationToken)(
      this.stop,
      late,
    );
    // The source may become ready exactly at the deadline, within any poll and any park.
    this.#farewell = hasFarewell ? late.onCancelled(() => this.happen('wake')) : undefined;
  }

  /** Starts to wait. */
  start(way: string): this {
    this.#isOn = true;
    const waiting = (ways[way] as (subject: Subject, gate: CancellationToken, run: Run) => PromiseLike<unknown>)(
      this.#subject,
      this.#gate,
      this,
    );
    waiting.then(
      () => {
        this.state = 'has the value';
      },
      () => {
        this.state = this.#gate.isCancelled ? 'was given up' : 'was given up without a reason';
      },
    );
    this.#isOn = false;
    return this;
  }

  probe(from: Source<unknown>): Source<unknown> {
    return probe(from, () => this.step(events), this.parked);
  }

  /** Only the clock of a user runs code at each call, so only time passes there. */
  step(possible: readonly Event[]): void {
    if (!this.#isOn) return;
    for (const event of this.#plan.get(this.steps++) ?? []) if (possible.includes(event)) this.happen(event);
  }

  happen(event: Event): void {
    this.happened.add(event);
    if (event === 'wake') this.#subject.ready();
    else if (event === 'cancel') this.stop.cancel('stop');
    else this.clock.time = Math.max(this.clock.time, DEADLINE);
  }

  /** Yields faults that exist once all events have run. */
  *faults(): Generator<string> {
    if (this.happened.has('wake') && this.state === 'waits') yield 'sleeps beside a value';
    if (this.#gate.isCancelled && this.state === 'waits') yield 'still waits after it was cancelled';
    if (this.state === 'was given up without a reason') yield 'gives up without a reason';
  }

  /** Yields faults that remain after the last wake-up. */
  *residue(): Generator<string> {
    if (this.state === 'waits') yield 'sleeps forever';
    for (const waiter of this.parked) if (waiter.owner !== undefined) yield 'leaves a waiter behind';
    if (this.clock.timers.size > 0) yield 'leaves a timer behind';
    const { isLeft } = this.#subject;
    if (isLeft === undefined) return;
    if (this.state === 'has the value' && isLeft()) yield 'has a value that it did not take';
    if (this.state === 'was given up' && !isLeft()) yield 'was given up, and its value or place is gone';
  }

  finish(): void {
    this.#farewell?.dispose();
    this.happen('wake');
    this.clock.fire();
  }
}

/** Waits until everything that can run has run. */
async function rest(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** Returns plans with every event at every step; with `isPaired`, also every two events at steps that are close to each other. */
function plans(steps: number, isPaired: boolean): Plan[] {
  const all: Plan[] = [new Map()];
  for (let at = 0; at < steps; at++) {
    for (const event of events) {
      all.push(new Map([[at, [event]]]));
      if (isPaired) for (const second of events) if (second !== event) all.push(...pairs(at, event, second, steps));
    }
  }
  return all;
}

function pairs(at: number, first: Event, second: Event, steps: number): Plan[] {
  const all: Plan[] = [new Map([[at, [first, second]]])];
  for (let then = at + 1; then < Math.min(steps, at + 4); then++) {
    all.push(
      new Map([
        [at, [first]],
        [then, [second]],
      ]),
    );
  }
  return all;
}

/** Runs every plan, for each way of waiting. Returns each fault with the first plan that shows it. */
async function explore(subject: string, gate: string, isPaired: boolean): Promise<Record<string, string>> {
  const faults = new Map<string, string>();
  for (const way of Object.keys(ways)) {
    const { steps } = new Run(subject, gate, new Map(), false).start(way);
    const runs = plans(steps + 2, isPaired).flatMap((plan) =>
      [false, true].map((hasFarewell) => ({ plan, run: new Run(subject, gate, plan, hasFarewell).start(way) })),
    );
    const note = (plan: Plan, found: Iterable<string>): void => {
      for (const fault of found) {
        const name = `${way}: ${fault}`;
        if (!faults.has(name)) faults.set(name, JSON.stringify([...plan]));
      }
    };
    await rest();
    for (const { run } of runs) run.clock.fire();
    await rest();
    for (const { plan, run } of runs) note(plan, run.faults());
    for (const { run } of runs) run.finish();
    await rest();
    for (const { plan, run } of runs) note(plan, run.residue());
  }
  return Object.fromEntries(faults);
}

/** Declares the tests of these gates. */
export function exploreAll(isPaired: boolean, names = Object.keys(gates)): void {
  describe.each(Object.keys(subjects))('waiting for: %s', (subject) => {
    it.each(names)('neither sleeps beside a value nor leaves anything behind, with the gate %s', async (gate) => {
      expect(await explore(subject, gate, isPaired)).toEqual({});
    });
  });
}
