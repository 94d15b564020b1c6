import { type Clock, systemClock } from '@quiesce/cancellation-token';
import { checkOptions } from '@quiesce/internal';
import { checkRetention } from './checks.ts';
import type {
  EngineConnection,
  FleetEngine,
  FleetListener,
  FleetRecord,
  FleetTopic,
  LogPage,
  MemberRecord,
  SlotAnswer,
  SlotRequest,
} from './engine.ts';

/** Options for a memory engine. */
export interface MemoryEngineOptions {
  /** The engine's clock. Default: the platform's. */
  readonly clock?: Clock | undefined;
}

/** A record, the number of records that were stored before it, and when it expires. */
interface MemoryRecord {
  readonly id: string;
  readonly body: string;
  readonly number: number;
  readonly expiresAt: number;
}

/** A permit that is held. */
interface MemoryHold {
  readonly fence: number;
  readonly expiresAt: number;
}

/** A member; `keep`: ms for which it is listed after it was lost or has left. */
interface MemoryMember {
  readonly aliveUntil: number;
  readonly keep: number;
  readonly keptUntil: number;
  readonly gone: boolean;
}

/** One log. */
interface MemoryLog {
  readonly byId: Map<string, MemoryRecord>;
  /** In order of their numbers. */
  readonly order: MemoryRecord[];
}

/** The data of one namespace. */
interface Namespace {
  readonly retention: number;
  /** Changes when data is lost, so that older cursors are refused. */
  era: number;
  recordCount: number;
  /** The last fence of all slots, so that fences also grow after an empty slot was removed. */
  fence: number;
  readonly logs: Map<string, MemoryLog>;
  readonly members: Map<string, MemoryMember>;
  /** The holders of each slot. A slot without holders is removed. */
  readonly slots: Map<string, Map<string, MemoryHold>>;
}

/** The position of a reader. */
interface Cursor {
  readonly era: number;
  readonly number: number;
}

const PAGE = 500;

/** An engine whose data is in this process. */
class MemoryEngine implements FleetEngine {
  readonly #clock: Clock;
  readonly #namespaces: Map<string, Namespace> = new Map();
  #eraCount = 0;
  readonly #listeners: Map<string, Map<string, Set<FleetListener>>> = new Map();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async connect(namespace: string, retention: number): Promise<EngineConnection> {
    const stored = this.#namespace(namespace, retention);
    checkRetention(namespace, stored.retention, retention);
    const data = (): Namespace => this.#namespace(namespace, retention);
    const hint = (topic: FleetTopic, of?: string): void => this.#hint(namespace, topic, of);
    return {
      listen: async (me, on) => {
        const all = this.#listenersOf(namespace);
        const own = all.get(me) ?? new Set();
        all.set(me, own.add(on));
        return {
          hints: 'push',
          check: async () => {},
          close: async () => {
            own.delete(on);
            if (own.size === 0 && all.get(me) === own) all.delete(me);
          },
        };
      },
      append: async (records) => {
        for (const record of records) this.#append(data(), record);
        for (const log of new Set(records.map(({ log }) => log))) {
          if (log === 'cancels') hint('cancels');
          else hint('inbox', log);
        }
      },
      read: async (log, after) => this.#read(data(), log, after as Cursor | undefined),
      meet: async (me) => this.#meet(data(), me),
      leave: async (id) => {
        const { members } = data();
        const before = members.get(id);
        if (before === undefined || before.gone) return;
        members.set(id, { ...before, keptUntil: this.#now() + before.keep, gone: true });
      },
      hold: async (slot) => this.#hold(data(), slot),
      release: async ({ name, holder, fence }) => {
        const { slots } = data();
        const holders = slots.get(name);
        if (holders?.get(holder)?.fence !== fence) return;
        holders.delete(holder);
        if (holders.size === 0) slots.delete(name);
        hint('slots');
      },
    };
  }

  /** A copy of all data, for tests that go back in time. */
  copy(): ReadonlyMap<string, Namespace> {
    return structuredClone(this.#namespaces);
  }

  /** Replaces all data by an older copy, or by no data. The next read of each reader is then whole. */
  restore(copy: ReadonlyMap<string, Namespace> = new Map()): void {
    this.#namespaces.clear();
    for (const [name, data] of structuredClone(copy) as Map<string, Namespace>) {
      data.era = this.#eraCount++;
      this.#namespaces.set(name, data);
    }
  }

  /** In whole ms, as in databases. */
  #now(): number {
    return Math.floor(this.#clock.now());
  }

  #namespace(name: string, retention: number): Namespace {
    let data = this.#namespaces.get(name);
    if (data === undefined) {
      data = {
        retention,
        era: this.#eraCount++,
        recordCount: 0,
        fence: 0,
        logs: new Map(),
        members: new Map(),
        slots: new Map(),
      };
      this.#namespaces.set(name, data);
    }
    return data;
  }

  #listenersOf(namespace: string): Map<string, Set<FleetListener>> {
    let all = this.#listeners.get(namespace);
    if (all === undefined) {
      all = new Map();
      this.#listeners.set(namespace, all);
    }
    return all;
  }

  #hint(namespace: string, topic: FleetTopic, of: string | undefined): void {
    const all = this.#listenersOf(namespace);
    const sets = of === undefined ? [...all.values()] : [all.get(of)];
    // In a microtask, because engines never call back inside a call.
    queueMicrotask(() => {
      for (const set of sets) for (const listener of set ?? []) listener.changed(topic);
    });
  }

  #append(data: Namespace, { log, id, body, ttl }: FleetRecord): void {
    const now = this.#now();
    const { byId, order } = logOf(data, log);
    if ((byId.get(id)?.expiresAt ?? 0) > now) return;
    const record = { id, body, number: ++data.recordCount, expiresAt: now + ttl };
    byId.set(id, record);
    order.push(record);
  }

  #read(data: Namespace, log: string, after: Cursor | undefined): LogPage {
    const now = this.#now();
    const order = data.logs.get(log)?.order ?? [];
    const whole = after?.era !== data.era;
    const from = whole ? 0 : firstAfter(order, after.number);
    const page = order.slice(from, from + PAGE);
    const more = from + PAGE < order.length;
    const number = more ? (page.at(-1) as MemoryRecord).number : data.recordCount;
    const records = page
      .filter(({ expiresAt }) => expiresAt > now)
      .map(({ id, body, expiresAt }) => ({ id, body, left: expiresAt - now }));
    return { records, cursor: { era: data.era, number }, whole, more };
  }

  #meet(
    data: Namespace,
    me: { readonly id: string; readonly ttl: number; readonly keep: number } | undefined,
  ): MemberRecord[] {
    const { members } = data;
    const now = this.#now();
    removeExpired(data, now);
    for (const [id, { keptUntil }] of members) if (keptUntil <= now) members.delete(id);
    if (me !== undefined) {
      const aliveUntil = now + me.ttl;
      members.set(me.id, { aliveUntil, keep: me.keep, keptUntil: aliveUntil + me.keep, gone: false });
    }
    return [...members].map(([id, { aliveUntil, gone }]) => ({ id, left: aliveUntil - now, gone }));
  }

  #hold(data: Namespace, { name, holder, ttl, permits, fence }: SlotRequest): SlotAnswer {
    const now = this.#now();
    const holders = data.slots.get(name) ?? new Map<string, MemoryHold>();
    removeExpiredHolds(holders, now);
    const own = holders.get(holder);
    if (fence !== undefined && own?.fence !== fence) return { lost: true };
    if (own === undefined && holders.size >= permits) {
      return { wait: Math.min(...[...holders.values()].map(({ expiresAt }) => expiresAt - now)) };
    }
    const granted = own?.fence ?? ++data.fence;
    holders.set(holder, { fence: granted, expiresAt: now + ttl });
    data.slots.set(name, holders);
    return { fence: granted };
  }
}

function logOf({ logs }: Namespace, name: string): MemoryLog {
  const log = logs.get(name) ?? { byId: new Map(), order: [] };
  logs.set(name, log);
  return log;
}

/** Removes expired data. Called with each heartbeat. */
function removeExpired({ logs, slots }: Namespace, now: number): void {
  for (const [name, { byId, order }] of logs) {
    const live = order.findIndex(({ expiresAt }) => expiresAt > now);
    for (const record of order.splice(0, live === -1 ? order.length : live)) {
      if (byId.get(record.id) === record) byId.delete(record.id);
    }
    if (order.length === 0) logs.delete(name);
  }
  for (const [name, holders] of slots) {
    removeExpiredHolds(holders, now);
    if (holders.size === 0) slots.delete(name);
  }
}

function removeExpiredHolds(holders: Map<string, MemoryHold>, now: number): void {
  for (const [holder, { expiresAt }] of holders) if (expiresAt <= now) holders.delete(holder);
}

/** Returns the index of the first record after a number. */
function firstAfter(order: readonly MemoryRecord[], number: number): number {
  let [low, high] = [0, order.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((order[middle] as MemoryRecord).number > number) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * Makes an engine in memory, for tests and for programs in one process. All fleets that share the object can reach each other.
 *
 * **Timing.** Each step takes a microtask. Times are read from `clock`.
 *
 * @param options `clock`
 * @throws TypeError for an unknown option
 * @example
 * ```ts
 * const engine = memoryEngine();
 * await using api = await joinFleet({ engine, node: 'api' });
 * await using worker = await joinFleet({ engine, node: 'worker' });
 * const job = worker.run('jobs/42/1', (token) => token.cancelled().then(() => token.reason));
 * const receipt = await api.cancel('jobs/42', 'stopped by user', { until: 'ended' });
 * console.log(receipt.state, await job); // => ended stopped by user
 * ```
 */
export function memoryEngine(options?: MemoryEngineOptions): FleetEngine {
  checkOptions('memoryEngine', options, ['clock']);
  return new MemoryEngine(options?.clock ?? systemClock);
}

/** Returns the engine if it is in memory. */
export function asMemoryEngine(engine: FleetEngine): MemoryEngine | undefined {
  return engine instanceof MemoryEngine ? engine : undefined;
}
