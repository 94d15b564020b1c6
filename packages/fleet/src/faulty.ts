import { type Clock, systemClock } from '@quiesce/cancellation-token';
import { checkOptions } from '@quiesce/internal';
import { checkEngine } from './checks.ts';
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
interface FaultyConnection {
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
  readonly #connections: Set<FaultyConnection> = new Set();
  readonly #faults: Map<string | undefined, Fault> = new Map();
  #copy: ReturnType<NonNullable<ReturnType<typeof asMemoryEngine>>['copy']> | undefined;

  /** @internal */
  constructor(engine: FleetEngine, clock: Clock) {
    this.#engine = engine;
    this.#clock = clock;
  }

  async connect(namespace: string, retention: number, options?: ConnectOptions): Promise<EngineConnection> {
    const connection: FaultyConnection = { member: undefined, listener: undefined };
    const real = await this.#forward(connection, () => this.#engine.connect(namespace, retention, options));
    this.#connections.add(connection);
    return {
      listen: async (me, on) => {
        connection.member = me;
        const subscription = await this.#forward(connection, () => real.listen(me, this.#filtered(connection, on)));
        connection.listener = on;
        return this.#wrap(connection, subscription);
      },
      append: (records) => this.#forward(connection, () => real.append(records)),
      read: (log, after) => this.#forward(connection, () => real.read(log, after)),
      meet: (me) => this.#forward(connection, () => real.meet(me)),
      leave: (id) => this.#forward(connection, () => real.leave(id)),
      hold: (slot) => this.#forward(connection, () => real.hold(slot)),
      release: (slot) => this.#forward(connection, () => real.release(slot)),
      close: async () => {
        this.#connections.delete(connection);
        await real.close?.();
      },
    };
  }

  /** Refuses all calls, and ends the subscriptions. */
  cut(member?: string): void {
    this.#fault(member).isCut = true;
    for (const connection of this.#connections) {
      if (!isOf(connection, member)) continue;
      const { listener } = connection;
      connection.listener = undefined;
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

  #faultsOf(connection: FaultyConnection): Fault[] {
    return [...this.#faults].filter(([member]) => isOf(connection, member)).map(([, fault]) => fault);
  }

  async #forward<T>(connection: FaultyConnection, request: () => Promise<T>): Promise<T> {
    this.#refuseCut(connection);
    if (this.#faultsOf(connection).some(({ isHanging }) => isHanging)) return await new Promise<T>(() => {});
    const answer = await request();
    const delay = this.#faultsOf(connection).reduce((sum, { delayMs }) => sum + delayMs, 0);
    if (delay > 0) await new Promise<void>((resolve) => void this.#clock.setTimer(delay, resolve, { ref: false }));
    if (this.#faultsOf(connection).some(({ isHanging }) => isHanging)) return await new Promise<T>(() => {});
    this.#refuseCut(connection);
    return answer;
  }

  #refuseCut(connection: FaultyConnection): void {
    if (this.#faultsOf(connection).some(({ isCut }) => isCut)) throw new Error('the connection was cut');
  }

  #filtered(connection: FaultyConnection, on: FleetListener): FleetListener {
    return {
      changed: (topic) => {
        const isLost = this.#faultsOf(connection).some((fault) => fault.losesHints || fault.isHanging || fault.isCut);
        if (!isLost) on.changed(topic);
      },
      broken: (error) => on.broken(error),
    };
  }

  #wrap(connection: FaultyConnection, subscription: FleetSubscription): FleetSubscription {
    return {
      hints: subscription.hints,
      check: () => this.#forward(connection, () => subscription.check()),
      close: () => {
        connection.listener = undefined;
        return subscription.close();
      },
    };
  }
}

/** Whether a connection belongs to a member; `undefined` stands for any member. */
function isOf({ member: id }: FaultyConnection, member: string | undefined): boolean {
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
