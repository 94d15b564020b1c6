// Every kind of source with every kind of gate and wait, for explored-waits*.test.ts. A wait polls, parks and polls again, and any event
// may happen at each of these steps: a call of a source, a signal or a clock may run any code. The explorer chooses the events of each
// step, at the start of the wait, in the rounds of jobs after it, and in the polls that follow a wake-up.
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
import { type ExploreReport, explore, type World } from '@quiesce/testing';
import { ResourcePool } from '@quiesce/worker-pool';

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
  /** Wakes the waiters without a value. */
  readonly alarm?: () => void;
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
    this.alarm();
  }
  alarm(): void {
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

export const subjects: Readonly<Record<string, (clock: StepClock) => Subject>> = {
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
    return { from: () => flag, ready: () => flag.raise(), alarm: () => flag.alarm(), isLeft: undefined };
  },
};

/** Returns what a wait gets as its signal. */
type Gate = (stop: CancellationToken, late: CancellationToken, step: () => void) => CancellationToken;

/** An `AbortSignal` with a step before and after each listener is added. */
const foreign: Gate = (stop, _, step) => {
  const controller = new AbortController();
  const { signal } = controller;
  stop.onCancelled((reason) => controller.abort(reason));
  const { addEventListener } = signal;
  signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    step();
    addEventListener.apply(signal, args);
    step();
  };
  return CancellationToken.from(signal);
};

/** Each gate gets the signal of the caller, and a token with a deadline. */
const gates: Readonly<Record<string, Gate>> = {
  token: (stop) => stop,
  deadline: (_, late) => late,
  'a deadline below a token': (stop, late) => CancellationToken.any([stop, late]).childToken(),
  any: (stop, late) => CancellationToken.any([late, stop]),
  'a signal': foreign,
  all: (stop, late) => CancellationToken.all([late, stop]),
  both: (stop, late) => CancellationToken.any([stop, CancellationToken.all([late, new CancellationToken()])]),
};

/** The ways to wait. Each rejects, or returns the status `cancelled`, when the gate was cancelled. */
const ways: Readonly<
  Record<string, (subject: Subject, gate: CancellationToken, run: Attempt) => PromiseLike<unknown>>
> = {
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

/** `farewell`: the source becomes ready exactly at the deadline, within the callback of the gate. */
type Event = 'deadline' | 'farewell' | 'wake' | 'cancel' | 'alarm';
/** Only the clock of a user runs code at each call, so only time passes there. */
const passing: readonly Event[] = ['deadline', 'farewell'];
const events: readonly Event[] = [...passing, 'wake', 'cancel', 'alarm'];
/** Events that mean nothing to a gate. */
const pointless: Readonly<Record<string, readonly Event[]>> = {
  ...{ token: passing, 'a signal': passing },
  deadline: ['cancel'],
};
/** How many steps after an event another one may happen. */
const CLOSE = 3;
/** How many rounds of jobs after the start an event may happen. */
const ROUNDS = 3;

/** One wait, whose events the world chooses. */
class Attempt {
  readonly clock: StepClock = new StepClock(() => this.step(passing));
  readonly stop: CancellationToken = new CancellationToken();
  readonly parked: Set<Waiter> = new Set();
  readonly #world: World;
  readonly #subject: Subject;
  readonly #gate: CancellationToken;
  readonly #pointless: Event[];
  readonly #farewell: Registration;
  readonly #happened: Set<Event> = new Set();
  #state: 'waits' | 'has the value' | 'was given up' | 'was given up without a reason' = 'waits';
  #isOn = false;
  #hasFarewell = false;
  #sinceEvent = 0;

  constructor(world: World, subject: string, gate: string) {
    this.#world = world;
    this.#pointless = [...(pointless[gate] ?? [])];
    this.#subject = (subjects[subject] as (clock: StepClock) => Subject)(this.clock);
    if (this.#subject.alarm === undefined) this.#pointless.push('alarm');
    const late = CancellationToken.timeout(DEADLINE, { clock: this.clock });
    this.#gate = (gates[gate] as Gate)(this.stop, late, () => this.step(events));
    this.#farewell = late.onCancelled(() => {
      if (this.#hasFarewell) this.#happen('wake');
    });
  }

  /** Waits, with events. */
  async run(way: string): Promise<void> {
    this.#isOn = true;
    (ways[way] as (subject: Subject, gate: CancellationToken, run: Attempt) => PromiseLike<unknown>)(
      this.#subject,
      this.#gate,
      this,
    ).then(
      () => {
        this.#state = 'has the value';
      },
      () => {
        this.#state = this.#gate.isCancelled ? 'was given up' : 'was given up without a reason';
      },
    );
    for (let round = 0; round < ROUNDS; round++) {
      this.step(events);
      await null;
    }
    this.#isOn = false;
    await turn();
    this.clock.fire();
    await turn();
    for (const fault of this.#faults()) throw new Error(fault);
    this.#farewell.dispose();
    this.#happen('wake');
    this.clock.fire();
    await turn();
    for (const fault of this.#residue()) throw new Error(fault);
  }

  probe(from: Source<unknown>): Source<unknown> {
    return probe(from, () => this.step(events), this.parked);
  }

  /** Lets events happen, also within the wake-ups of another one. */
  step(possible: readonly Event[]): void {
    if (!this.#isOn) return;
    for (;;) {
      if (this.#happened.size > 0 && this.#sinceEvent++ > CLOSE) return;
      const left = possible.filter((event) => !this.#happened.has(event) && !this.#pointless.includes(event));
      if (left.length === 0) return;
      const event = this.#world.choose<Event | 'nothing'>('step', ['nothing', ...left]);
      if (event === 'nothing') return;
      this.#sinceEvent = 0;
      this.#happen(event);
    }
  }

  #happen(event: Event): void {
    this.#happened.add(event);
    if (event === 'wake') this.#subject.ready();
    else if (event === 'cancel') this.stop.cancel('stop');
    else if (event === 'alarm') this.#subject.alarm?.();
    else {
      if (event === 'farewell') this.#hasFarewell = true;
      this.clock.time = Math.max(this.clock.time, DEADLINE);
    }
  }

  /** Yields faults that exist once all events have run. */
  *#faults(): Generator<string> {
    if (this.#happened.has('wake') && this.#state === 'waits') yield 'sleeps beside a value';
    if (this.#gate.isCancelled && this.#state === 'waits') yield 'still waits after it was cancelled';
    if (this.#state === 'was given up without a reason') yield 'gives up without a reason';
  }

  /** Yields faults that remain after the last wake-up. */
  *#residue(): Generator<string> {
    if (this.#state === 'waits') yield 'sleeps forever';
    for (const waiter of this.parked) if (waiter.owner !== undefined) yield 'leaves a waiter behind';
    if (this.clock.timers.size > 0) yield 'leaves a timer behind';
    const { isLeft } = this.#subject;
    if (isLeft === undefined) return;
    if (this.#state === 'has the value' && isLeft()) yield 'has a value that it did not take';
    if (this.#state === 'was given up' && !isLeft()) yield 'was given up, and its value or place is gone';
  }
}

/** Lets everything run that can run. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

const combinations = Object.keys(gates).flatMap((gate) => Object.keys(ways).map((way) => ({ gate, way })));

/**
 * Explores every way of waiting for a source, with every gate. Rejects with the first schedule that shows a fault.
 *
 * @param events how many events each combination gets, at any steps that are close to each other
 */
export function exploreWaits(subject: string, events: number): Promise<ExploreReport> {
  const test = (world: World): Promise<void> => {
    const { gate, way } = world.choose('gate and way', combinations);
    return new Attempt(world, subject, gate).run(way);
  };
  // The combination is a deviation, too.
  return explore(test, { bound: events + 1, budget: { schedules: Number.POSITIVE_INFINITY } });
}
