import { systemClock, type Timer } from '@quiesce/cancellation-token';
import { checkOptions, ignore } from '@quiesce/internal';
import { checkRetention } from './check-retention.ts';
import type {
  ConnectOptions,
  EngineConnection,
  FleetEngine,
  FleetListener,
  FleetRecord,
  FleetSubscription,
  FleetTopic,
  LogPage,
  MemberRecord,
  SlotAnswer,
  SlotRequest,
} from './engine.ts';
import { EngineUnavailableError } from './errors.ts';
import { NatsBuckets } from './nats-buckets.ts';
import {
  checkNatsClients,
  decodeKey,
  encodeKey,
  isConflict,
  type NatsBucket,
  type NatsClient,
  type NatsEngineOptions,
  type NatsWatchEntry,
} from './nats-client.ts';
import { NatsClock } from './nats-clock.ts';
import { NatsLog } from './nats-log.ts';
import { type NatsMirror, NatsMirrors } from './nats-mirrors.ts';
import { NatsSlots } from './nats-slots.ts';
import type { NatsWatch } from './nats-watch.ts';

/** Keys that no member and no record has: base64url has no such character. */
const MARK = '=';
const CLOCK = '=clock';
const RELEASED = '=released';
/** The limit of a check, in ms. */
const RTT = 1_000;

/** What a bucket says about a member: its `ttl` and `keep` in ms, and whether it has left. */
type Stored = readonly [ttl: number, keep: number, gone: boolean];

interface Member {
  readonly stored: Stored;
  /** By the server's clock. */
  readonly since: number;
}

/** The connection of one fleet. */
class NatsConnection implements EngineConnection {
  readonly #client: NatsClient;
  readonly #limit: number;
  readonly #retention: number;
  readonly #buckets: NatsBuckets;
  readonly #mirrors: NatsMirrors;
  readonly #slots: NatsSlots;
  readonly #clock: NatsClock = new NatsClock();
  readonly #status: AsyncIterable<{ readonly type: string }>;
  /** The mirrors of the logs that were read. */
  readonly #logs: Map<string, NatsMirror<NatsLog>> = new Map();
  /** How long members of this connection are kept. */
  readonly #keeps: Map<string, number> = new Map();
  /** The subscriptions, with their members. */
  readonly #listeners: Map<FleetListener, string> = new Map();

  constructor({ connection, kv }: NatsEngineOptions, namespace: string, retention: number, limit: number) {
    this.#client = connection;
    this.#limit = limit;
    this.#retention = retention;
    this.#buckets = new NatsBuckets(kv, namespace, retention);
    this.#mirrors = new NatsMirrors(this.#buckets);
    this.#slots = new NatsSlots(
      () => this.#buckets.get('slots'),
      () => this.#now(),
      limit,
    );
    this.#status = connection.status();
    void this.#followStatus();
  }

  /** @throws (rejects) RangeError for another retention */
  async open(namespace: string): Promise<void> {
    const { ttl } = await (await this.#buckets.get('log')).status();
    checkRetention(namespace, ttl, this.#retention);
  }

  async listen(me: string, on: FleetListener): Promise<FleetSubscription> {
    this.#listeners.set(on, me);
    const close = async (): Promise<void> => void this.#listeners.delete(on);
    try {
      // The inbox is asked with an entry that its watch must deliver: hints arrive.
      await Promise.all([
        this.#mirrors.open(this.#log('cancels')),
        this.#mirrors.current(this.#log(me)),
        this.#mirrors.open(this.#members),
      ]);
      return { hints: 'push', check: () => this.#check(), close };
    } catch (error) {
      await close();
      throw error;
    }
  }

  async append(records: readonly FleetRecord[]): Promise<void> {
    const most = this.#client.info?.max_payload ?? Number.POSITIVE_INFINITY;
    const entries = records.map(({ log, id, body, ttl }) => ({ log, key: keyOf(log, id), value: `${ttl} ${body}` }));
    for (const { value } of entries) {
      const { length } = new TextEncoder().encode(value);
      if (length > most) throw new RangeError(`A record of ${length} bytes is larger than NATS accepts (${most})`);
    }
    const buckets = { log: await this.#buckets.get('log'), inbox: await this.#buckets.get('inbox') };
    const writes = entries.map(async ({ log, key, value }) => {
      try {
        await buckets[log === 'cancels' ? 'log' : 'inbox'].put(key, value, { previousSeq: 0, timeout: this.#limit });
      } catch (error) {
        // It is stored already.
        if (!isConflict(error)) throw error;
      }
    });
    // All have ended when the first error is known: an attempt that is repeated does not overtake them.
    for (const write of await Promise.allSettled(writes))
      if (write.status === 'rejected') throw this.#failed(write.reason);
  }

  async read(log: string, after: unknown): Promise<LogPage> {
    const { data, watch } = await this.#mirrors.current(this.#log(log));
    return data.page(watch, after, await this.#now());
  }

  async meet(
    me: { readonly id: string; readonly ttl: number; readonly keep: number } | undefined,
  ): Promise<MemberRecord[]> {
    if (me !== undefined) this.#keeps.set(me.id, me.keep);
    const { data } = await this.#mirrors.current(
      this.#members,
      // The heartbeat itself is the question.
      me && ((bucket) => this.#putMember(bucket, me.id, [me.ttl, me.keep, false])),
    );
    const now = await this.#now();
    const members: MemberRecord[] = [];
    for (const [key, { stored, since }] of data) {
      const [ttl, keep, gone] = stored;
      const left = Math.min(ttl, since + ttl - now);
      if (left <= -keep) data.delete(key);
      else members.push({ id: decodeKey(key), left, gone });
    }
    return members;
  }

  async leave(id: string): Promise<void> {
    const keep = this.#keeps.get(id);
    if (keep === undefined) return;
    await this.#putMember(await this.#buckets.get('members'), id, [0, keep, true]).catch(this.#rethrow);
  }

  async hold(slot: SlotRequest): Promise<SlotAnswer> {
    return await this.#slots.hold(slot).catch(this.#rethrow);
  }

  async release(slot: { readonly name: string; readonly holder: string; readonly fence: number }): Promise<void> {
    if (!(await this.#slots.release(slot).catch(this.#rethrow))) return;
    // A hint, which may be missing.
    const bucket = await this.#buckets.get('members');
    bucket.put(RELEASED, '').catch(ignore);
  }

  async close(): Promise<void> {
    this.#buckets.isClosed = true;
    this.#listeners.clear();
    this.#mirrors.closeAll();
    (this.#status as { stop?(): void }).stop?.();
  }

  /** The local copy of a log. */
  #log(log: string): NatsMirror<NatsLog> {
    const isCancels = log === 'cancels';
    const mirror: NatsMirror<NatsLog> = this.#logs.get(log) ?? {
      bucket: isCancels ? 'log' : 'inbox',
      keys: isCancels ? '*' : `${encodeKey(log)}.*`,
      make: () => {
        const data = new NatsLog();
        const add = (entry: NatsWatchEntry): void => {
          if (entry.isUpdate) this.#clock.note(entry);
          if (entry.key.endsWith(MARK)) return;
          data.add(entry);
          if (entry.isUpdate) this.#hint(isCancels ? 'cancels' : 'inbox', log);
        };
        return { data, add };
      },
      ask: isCancels ? askStatus : (bucket) => bucket.put(`${encodeKey(log)}.${MARK}`, '', { timeout: this.#limit }),
    };
    this.#logs.set(log, mirror);
    return mirror;
  }

  /** The local copy of the list of members. */
  readonly #members: NatsMirror<Map<string, Member>> = {
    bucket: 'members',
    keys: '*',
    make: () => {
      const data = new Map<string, Member>();
      const add = (entry: NatsWatchEntry): void => {
        if (entry.isUpdate) this.#clock.note(entry);
        if (entry.key === RELEASED && entry.isUpdate) this.#hint('slots');
        if (entry.operation !== 'PUT' || entry.key.startsWith(MARK)) return;
        data.set(entry.key, { stored: JSON.parse(entry.string()) as Stored, since: entry.created.getTime() });
      };
      return { data, add };
    },
    ask: (bucket) => bucket.put(CLOCK, '', { timeout: this.#limit }),
  };

  #putMember(bucket: NatsBucket, id: string, member: Stored): Promise<number> {
    return bucket.put(encodeKey(id), JSON.stringify(member), { timeout: this.#limit });
  }

  /** Returns the server's time, in ms. */
  async #now(): Promise<number> {
    if (this.#clock.now === undefined) {
      const bucket = await this.#buckets.get('members');
      await bucket.put(CLOCK, '', { timeout: this.#limit });
      const entry = await bucket.get(CLOCK);
      if (entry !== null) this.#clock.note(entry);
    }
    const { now } = this.#clock;
    if (now === undefined) throw new EngineUnavailableError('The time of NATS is not known');
    return now;
  }

  #hint(topic: FleetTopic, of?: string): void {
    for (const [listener, me] of [...this.#listeners]) if (topic !== 'inbox' || me === of) listener.changed(topic);
  }

  async #check(): Promise<void> {
    const isAlive = await new Promise<boolean>((resolve) => {
      // One more round of the event loop reads what has arrived while this process was stopped.
      const onLimit = (): Timer => systemClock.setTimer(0, () => resolve(false), { ref: false });
      const timer = systemClock.setTimer(RTT, onLimit, { ref: false });
      const settle = (isAlive: boolean) => (): void => {
        systemClock.clearTimer(timer);
        resolve(isAlive);
      };
      this.#client.rtt().then(settle(true), settle(false));
    });
    if (isAlive) return;
    await this.#client.reconnect().catch(ignore);
    throw new EngineUnavailableError(`NATS did not answer a ping within ${RTT} ms`);
  }

  /** The buckets may be missing after a failure. */
  readonly #rethrow = (error: unknown): never => {
    throw this.#failed(error);
  };

  #failed(error: unknown): unknown {
    this.#buckets.forget();
    return error;
  }

  /** After a reconnection, hints may be missing, and the server's data may be older. */
  async #followStatus(): Promise<void> {
    for await (const { type } of this.#status) {
      if (type !== 'reconnect' && type !== 'close') continue;
      this.#buckets.forget();
      this.#mirrors.closeAll();
      const listeners = [...this.#listeners.keys()];
      this.#listeners.clear();
      const error = new EngineUnavailableError(`The connection to NATS has told: ${type}`);
      for (const listener of listeners) listener.broken(error);
    }
  }
}

function keyOf(log: string, id: string): string {
  return log === 'cancels' ? encodeKey(id) : `${encodeKey(log)}.${encodeKey(id)}`;
}

/** Asks the leader of the stream what the last revision is. */
async function askStatus(bucket: NatsBucket, watch: NatsWatch): Promise<number> {
  const { streamInfo } = await bucket.status();
  const { last_seq: last, messages } = streamInfo.state;
  if (String(streamInfo.created) !== watch.created) throw new EngineUnavailableError('The data of NATS was made anew');
  // The last entries have expired: they can no longer arrive.
  if (messages === 0) watch.skip(last);
  return last;
}

/**
 * TODO
 */
export function natsEngine(options: NatsEngineOptions): FleetEngine {
  checkOptions('natsEngine', options, ['connection', 'kv']);
  checkNatsClients(options ?? {});
  const { connection, kv } = options;
  return {
    connect: async (namespace: string, retention: number, { requestTimeout = 3_000 }: Partial<ConnectOptions> = {}) => {
      const made = new NatsConnection({ connection, kv }, namespace, retention, requestTimeout);
      try {
        await made.open(namespace);
        return made;
      } catch (error) {
        await made.close();
        throw error;
      }
    },
  };
}
