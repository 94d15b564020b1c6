import { type Clock, systemClock } from '@quiesce/cancellation-token';
import { checkOptions } from '@quiesce/internal';
import { checkEngine } from './check-engine.ts';
import type { ConnectOptions, EngineConnection, FleetEngine, FleetListener, FleetSubscription } from './engine.ts';
import { asMemoryEngine } from './memory-engine.ts';
import { numberOf } from './options.ts';

/** Options for `faulty`. */
export interface FaultyOptions {
  /** The clock for delays. Default: the platform's. */
  readonly clock?: Clock | undefined;
}

/** The faults of the connections of a member. */
interface Fault {
  isCut: boolean;
  isHanging: boolean;
  losesHints: boolean;
  delayMs: number;
}

/** A connection that `connect` has returned. */
interface Watched {
  /** The id of its member, once it has subscribed. */
  member: string | undefined;
  listener: FleetListener | undefined;
}

/**
 * An engine whose connections fail on command. Made by {@link faulty}.
 *
 * Each method takes a member: its id, or the name of its node. Without a member, the method affects all connections, also later
 * ones.
 */
export class FaultyEngine implements FleetEngine {
  readonly #engine: FleetEngine;
  readonly #clock: Clock;
  readonly #connections: Set<Watched> = new Set();
  readonly #faults: Map<string | undefined, Fault> = new Map();
  #copy: ReturnType<NonNullable<ReturnType<typeof asMemoryEngine>>['copy']> | undefined;

  /** @internal */
  constructor(engine: FleetEngine, clock: Clock) {
    this.#engine = engine;
    this.#clock = clock;
  }

  async connect(namespace: string, retention: number, options?: ConnectOptions): Promise<EngineConnection> {
    const watched: Watched = { member: undefined, listener: undefined };
    const connection = await this.#ask(watched, () => this.#engine.connect(namespace, retention, options));
    this.#connections.add(watched);
    return {
      listen: async (me, on) => {
        watched.member = me;
        const subscription = await this.#ask(watched, () => connection.listen(me, this.#filtered(watched, on)));
        watched.listener = on;
        return this.#wrap(watched, subscription);
      },
      append: (records) => this.#ask(watched, () => connection.append(records)),
      read: (log, after) => this.#ask(watched, () => connection.read(log, after)),
      meet: (me) => this.#ask(watched, () => connection.meet(me)),
      leave: (id) => this.#ask(watched, () => connection.leave(id)),
      hold: (slot) => this.#ask(watched, () => connection.hold(slot)),
      release: (slot) => this.#ask(watched, () => connection.release(slot)),
      close: async () => {
        this.#connections.delete(watched);
        await connection.close?.();
      },
    };
  }

  /** Refuses all calls, and ends the subscriptions. */
  cut(member?: string): void {
    this.#fault(member).isCut = true;
    for (const watched of this.#connections) {
      if (!isOf(watched, member)) continue;
      const { listener } = watched;
      watched.listener = undefined;
      listener?.broken(new Error('the connection was cut'));
    }
  }

  /** Answers no call, like a connection that only this side considers open. Pending calls are never answered. */
  hang(member?: string): void {
    this.#fault(member).isHanging = true;
  }

  /** Delays each answer by this many ms. The engine has already done the work by then. */
  delay(ms: number, member?: string): void {
    this.#fault(member).delayMs = numberOf('delay', ms, 0, 0, Number.POSITIVE_INFINITY);
  }

  /** Drops all hints. */
  loseHints(member?: string): void {
    this.#fault(member).losesHints = true;
  }

  /** Removes the faults of a member, or all faults. */
  heal(member?: string): void {
    if (member === undefined) this.#faults.clear();
    else this.#faults.delete(member);
  }

  /**
   * Copies the data, for `goBack`.
   *
   * @throws TypeError unless the engine is one in memory
   */
  remember(): void {
    this.#copy = this.#memory('remember').copy();
  }

  /**
   * Replaces the data by that copy. Without a copy, all data is lost.
   *
   * @throws TypeError unless the engine is one in memory
   */
  goBack(): void {
    this.#memory('goBack').restore(this.#copy);
  }

  #memory(call: string): NonNullable<ReturnType<typeof asMemoryEngine>> {
    const memory = asMemoryEngine(this.#engine);
    if (memory === undefined) throw new TypeError(`${call}: only the data of memoryEngine() can be replaced`);
    return memory;
  }

  #fault(member: string | undefined): Fault {
    const fault = this.#faults.get(member) ?? { isCut: false, isHanging: false, losesHints: false, delayMs: 0 };
    this.#faults.set(member, fault);
    return fault;
  }

  #faultsOf(watched: Watched): Fault[] {
    return [...this.#faults].filter(([member]) => isOf(watched, member)).map(([, fault]) => fault);
  }

  async #ask<T>(watched: Watched, ask: () => Promise<T>): Promise<T> {
    this.#refuseCut(watched);
    if (this.#faultsOf(watched).some(({ isHanging }) => isHanging)) return await new Promise<T>(() => {});
    const answer = await ask();
    const delay = this.#faultsOf(watched).reduce((sum, { delayMs }) => sum + delayMs, 0);
    if (delay > 0) await new Promise<void>((resolve) => void this.#clock.setTimer(delay, resolve, { ref: false }));
    if (this.#faultsOf(watched).some(({ isHanging }) => isHanging)) return await new Promise<T>(() => {});
    this.#refuseCut(watched);
    return answer;
  }

  #refuseCut(watched: Watched): void {
    if (this.#faultsOf(watched).some(({ isCut }) => isCut)) throw new Error('the connection was cut');
  }

  #filtered(watched: Watched, on: FleetListener): FleetListener {
    return {
      changed: (topic) => {
        const isLost = this.#faultsOf(watched).some((fault) => fault.losesHints || fault.isHanging || fault.isCut);
        if (!isLost) on.changed(topic);
      },
      broken: (error) => on.broken(error),
    };
  }

  #wrap(watched: Watched, subscription: FleetSubscription): FleetSubscription {
    return {
      hints: subscription.hints,
      check: () => this.#ask(watched, () => subscription.check()),
      close: () => {
        watched.listener = undefined;
        return subscription.close();
      },
    };
  }
}

/** Whether a connection belongs to a member; `undefined` stands for any member. */
function isOf({ member: id }: Watched, member: string | undefined): boolean {
  return member === undefined || (id !== undefined && (id === member || id.startsWith(`${member}/`)));
}

/**
 * Makes an engine whose connections fail on command, for tests of code that uses a fleet.
 *
 * @param engine the engine that does the work, such as `memoryEngine()`
 * @param options `clock`
 * @throws TypeError for anything but an engine
 * @example
 * ```ts
 * const engine = faulty(memoryEngine());
 * await using fleet = await joinFleet({ engine, node: 'worker-1' });
 * engine.cut('worker-1');
 * console.log(fleet.state.borrow().link); // => down
 * engine.heal();
 * await fleet.state.waitFor(({ link }) => link === 'up');
 * ```
 */
export function faulty(engine: FleetEngine, options?: FaultyOptions): FaultyEngine {
  checkEngine('faulty', engine);
  checkOptions('faulty', options, ['clock']);
  return new FaultyEngine(engine, options?.clock ?? systemClock);
}
