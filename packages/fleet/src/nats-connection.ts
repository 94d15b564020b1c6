import { systemClock } from '@quiesce/cancellation-token';
import { ignore } from '@quiesce/internal';
import { checkRetention } from './checks.ts';
import type {
  EngineConnection,
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
import { inTime, withLimit } from './limit.ts';
import { NatsBuckets } from './nats-buckets.ts';
import {
  encodeKey,
  isConflict,
  type NatsBucket,
  type NatsClient,
  type NatsEngineOptions,
  type NatsWatchEntry,
} from './nats-client.ts';
import { NatsClock } from './nats-clock.ts';
import { NatsLog } from './nats-log.ts';
import { NatsMembers } from './nats-members.ts';
import { type NatsCopy, type NatsMirror, NatsMirrors } from './nats-mirrors.ts';
import { NatsSlots } from './nats-slots.ts';

/** A key that no member and no record can have, because base64url lacks this character. */
const MARK = '=';
const CLOCK = '=clock';
const RELEASED = '=released';
/** The limit of a ping, in ms, unless the limit of calls is shorter. */
const RTT = 1_000;

/**
 * The connection of one fleet, on the user's connection to NATS.
 *
 * Invariants
 *  1. When the connection is interrupted, the calls in progress reject, because their answers may be lost. When it is back, all
 *     subscriptions break, and all local copies are rebuilt, because the server may have lost data.
 *  2. After any failed call, the next call checks whether the buckets exist.
 *  3. After a call over its limit, the connection must answer a ping. Otherwise it reconnects, even when no subscription is open.
 */
export class NatsConnection implements EngineConnection {
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
  /** Reject the calls in progress. */
  readonly #rejecting: Set<(error: unknown) => void> = new Set();
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
    const { ttl } = await this.#call('status', async () => (await this.#buckets.get('log')).status());
    checkRetention(namespace, ttl, this.#retention);
  }

  async listen(me: string, on: FleetListener): Promise<FleetSubscription> {
    this.#listeners.set(on, me);
    const close = async (): Promise<void> => void this.#listeners.delete(on);
    try {
      await this.#call('listen', () =>
        Promise.all([
          this.#mirrors.open(this.#log('cancels')),
          // The check writes an entry to the inbox, and the watch must deliver it. This proves that hints arrive.
          this.#mirrors.current(this.#log(me)),
          this.#mirrors.open(this.#members),
        ]),
      );
      return { hints: 'push', check: () => this.#check(), close };
    } catch (error) {
      await close();
      throw error;
    }
  }

  async append(records: readonly FleetRecord[]): Promise<void> {
    const most = this.#client.info?.max_payload ?? Number.POSITIVE_INFINITY;
    const entries = records.map(({ log, id, body, ttl }) => ({ log, id, value: `${ttl} ${body}` }));
    for (const { value } of entries) {
      const { length } = new TextEncoder().encode(value);
      if (length > most) throw new RangeError(`A record of ${length} bytes is larger than NATS accepts (${most})`);
    }
    await this.#call('append', async () => {
      const [log, inbox] = await Promise.all([this.#buckets.get('log'), this.#buckets.get('inbox')]);
      const put = (of: string, id: string, value: string): Promise<number> =>
        of === 'cancels'
          ? this.#put(log, encodeKey(id), value, 0)
          : this.#put(inbox, `${encodeKey(of)}.${encodeKey(id)}`, value, 0);
      const stored = await Promise.allSettled(entries.map(({ log, id, value }) => put(log, id, value)));
      for (const one of stored) {
        // A conflict: the record is already stored.
        if (one.status === 'rejected' && !isConflict(one.reason)) throw one.reason;
      }
    });
  }

  read(log: string, after: unknown): Promise<LogPage> {
    return this.#call('read', async () => {
      const { data, watch } = await this.#mirrors.current(this.#log(log));
      return data.page(watch, after, await this.#now());
    });
  }

  meet(me: { readonly id: string; readonly ttl: number; readonly keep: number } | undefined): Promise<MemberRecord[]> {
    if (me !== undefined) this.#keeps.set(me.id, me.keep);
    // The heartbeat is also the entry that the watch must deliver.
    const requiredRevision = me && ((bucket: NatsBucket) => this.#putMember(bucket, me.id, me.ttl, me.keep, false));
    return this.#call('meet', async () => {
      const { data } = await this.#mirrors.current(this.#members, requiredRevision);
      return data.list(await this.#now());
    });
  }

  async leave(id: string): Promise<void> {
    const keep = this.#keeps.get(id);
    if (keep === undefined) return;
    await this.#call('leave', async () => this.#putMember(await this.#buckets.get('members'), id, 0, keep, true));
  }

  hold(slot: SlotRequest): Promise<SlotAnswer> {
    return this.#call('hold', () => this.#slots.hold(slot));
  }

  async release(slot: { readonly name: string; readonly holder: string; readonly fence: number }): Promise<void> {
    if (!(await this.#call('release', () => this.#slots.release(slot)))) return;
    // A hint, which may be lost.
    this.#buckets
      .get('members')
      .then((bucket) => this.#put(bucket, RELEASED, ''))
      .catch(ignore);
  }

  async close(): Promise<void> {
    this.#listeners.clear();
    this.#mirrors.closeAll();
    this.#rejectAll(this.#buckets.close());
    (this.#status as { stop?(): void }).stop?.();
  }

  /** Runs a call that rejects when the connection is interrupted. See invariant 1. */
  async #call<T>(name: string, work: () => Promise<T>): Promise<T> {
    let fail: (error: unknown) => void = ignore;
    const answer = new Promise<T>((resolve, reject) => {
      fail = reject;
      this.#rejecting.add(fail);
      work().then(resolve, reject);
    });
    try {
      return await withLimit(systemClock, this.#limit, name, () => answer);
    } catch (error) {
      this.#buckets.forget();
      if (error instanceof EngineUnavailableError) this.#check().catch(ignore);
      throw error;
    } finally {
      this.#rejecting.delete(fail);
    }
  }

  #rejectAll(error: unknown): void {
    for (const reject of this.#rejecting) reject(error);
  }

  #put(bucket: NatsBucket, key: string, value: string, previousSeq?: number): Promise<number> {
    const revision = previousSeq === undefined ? {} : { previousSeq };
    return bucket.put(key, value, { ...revision, timeout: this.#limit });
  }

  #putMember(bucket: NatsBucket, id: string, ttl: number, keep: number, gone: boolean): Promise<number> {
    return this.#put(bucket, encodeKey(id), NatsMembers.encode(ttl, keep, gone));
  }

  /** The local copy of a log. */
  #log(log: string): NatsMirror<NatsLog> {
    const isCancels = log === 'cancels';
    const prefix = isCancels ? '' : `${encodeKey(log)}.`;
    const mirror: NatsMirror<NatsLog> = this.#logs.get(log) ?? {
      bucket: isCancels ? 'log' : 'inbox',
      keys: `${prefix}*`,
      make: () => {
        const data = new NatsLog();
        const add = (entry: NatsWatchEntry): void => {
          if (entry.isUpdate) this.#clock.note(entry);
          if (entry.operation !== 'PUT' || entry.key.endsWith(MARK)) return;
          data.add(entry);
          if (entry.isUpdate) this.#hint(isCancels ? 'cancels' : 'inbox', log);
        };
        return { data, add };
      },
      requiredRevision: isCancels
        ? (bucket, copy) => this.#statusRevision(bucket, copy)
        : (bucket) => this.#put(bucket, `${prefix}${MARK}`, ''),
    };
    this.#logs.set(log, mirror);
    return mirror;
  }

  /** The local copy of the list of members. */
  readonly #members: NatsMirror<NatsMembers> = {
    bucket: 'members',
    keys: '*',
    make: () => {
      const data = new NatsMembers();
      const add = (entry: NatsWatchEntry): void => {
        if (entry.isUpdate) this.#clock.note(entry);
        if (entry.isUpdate && entry.key === RELEASED) this.#hint('slots');
        if (entry.operation === 'PUT' && !entry.key.startsWith(MARK)) data.add(entry);
      };
      return { data, add };
    },
    requiredRevision: (bucket) => this.#put(bucket, CLOCK, ''),
  };

  /** Returns the server's time, in ms. */
  async #now(): Promise<number> {
    if (this.#clock.now === undefined) {
      const bucket = await this.#buckets.get('members');
      await this.#put(bucket, CLOCK, '');
      const entry = await bucket.get(CLOCK);
      if (entry !== null) this.#clock.note(entry);
    }
    const { now } = this.#clock;
    if (now === undefined) throw new EngineUnavailableError('The time of NATS is not known');
    return now;
  }

  /** Asks the leader of the stream for the last revision. */
  async #statusRevision(bucket: NatsBucket, { data, watch }: NatsCopy<NatsLog>): Promise<number> {
    const { streamInfo } = await bucket.status();
    const { first_seq: first, last_seq: last, messages } = streamInfo.state;
    if (String(streamInfo.created) !== watch.created) throw new EngineUnavailableError('The data of NATS was replaced');
    if (data.lacks(first, await this.#now())) throw new EngineUnavailableError('The data of NATS was deleted');
    // The last entries have expired, and cannot arrive any more.
    if (messages === 0) watch.skip(last);
    return last;
  }

  #hint(topic: FleetTopic, of?: string): void {
    for (const [listener, me] of [...this.#listeners]) if (topic !== 'inbox' || me === of) listener.changed(topic);
  }

  /** Pings, with at most one ping in flight. */
  #check(): Promise<void> {
    this.#checking ??= this.#ping().finally(() => {
      this.#checking = undefined;
    });
    return this.#checking;
  }
  #checking: Promise<void> | undefined;

  async #ping(): Promise<void> {
    const limit = Math.min(RTT, this.#limit);
    if (await inTime(limit, this.#client.rtt())) return;
    await this.#client.reconnect().catch(ignore);
    throw new EngineUnavailableError(`NATS did not answer a ping within ${limit} ms`);
  }

  async #followStatus(): Promise<void> {
    for await (const { type } of this.#status) {
      if (!['disconnect', 'reconnect', 'close'].includes(type)) continue;
      const error = new EngineUnavailableError(`The connection to NATS was interrupted (${type})`);
      this.#slots.interrupt(error);
      this.#rejectAll(error);
      if (type === 'disconnect') continue;
      this.#buckets.forget();
      this.#mirrors.closeAll();
      const listeners = [...this.#listeners.keys()];
      this.#listeners.clear();
      for (const listener of listeners) listener.broken(error);
    }
  }
}
