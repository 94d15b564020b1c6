import { ClosedError } from '@quiesce/cancellation-token';
import { checkOptions, toText } from '@quiesce/internal';
import { checkPoll } from './check-poll.ts';
import { checkRetention } from './check-retention.ts';
import type {
  ConnectOptions,
  EngineConnection,
  FleetEngine,
  FleetListener,
  FleetRecord,
  FleetSubscription,
  LogPage,
  MemberRecord,
  SlotAnswer,
  SlotRequest,
  StoredRecord,
} from './engine.ts';
import { EngineUnavailableError, SchemaError } from './errors.ts';
import { checkRedisClient, keyPrefixOf, type RedisClient } from './redis-client.ts';
import { RedisLink } from './redis-link.ts';
import { RedisSubscription } from './redis-listen.ts';
import { script } from './redis-script.ts';

/** Options for a Redis engine. */
export interface RedisEngineOptions {
  /**
   * How often the engine asks for changes where hints do not arrive, in milliseconds from 50 to 60,000. Default: 500. Some proxies
   * have no publish and subscribe, and an access list may forbid it.
   */
  readonly poll?: number | undefined;
}

/** Where the next read begins: the entry of the stream that was read last, and its record. */
interface Cursor {
  readonly entry: string;
  readonly id: string;
}

/** What the server answers to a step: a flat list. */
type Reply = readonly unknown[];

/** The connection of one fleet. */
export class RedisConnection implements EngineConnection {
  readonly #client: RedisClient;
  readonly #poll: number;
  readonly #base: string;
  readonly #retention: number;
  readonly #limit: number;
  #sha = '';
  /** Made at the first call, and anew after it has ended. */
  #link: RedisLink | undefined;
  readonly #subscriptions: Set<FleetSubscription> = new Set();
  /** How long members of this connection are kept, by id: their record may be lost when they leave. */
  readonly #keeps: Map<string, number> = new Map();
  #isClosed = false;

  constructor(client: RedisClient, poll: number, namespace: string, retention: number, limit: number) {
    this.#client = client;
    this.#poll = poll;
    this.#base = `${keyPrefixOf(client)}{quiesce:${namespace}}`;
    this.#retention = retention;
    this.#limit = limit;
  }

  /** @throws (rejects) SchemaError, EngineUnavailableError, RangeError for another retention */
  async open(namespace: string): Promise<void> {
    const hash = await crypto.subtle.digest('SHA-1', new TextEncoder().encode(script));
    this.#sha = Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, '0')).join('');
    checkServer(await this.#info());
    const [version, retention] = await this.#step('about');
    if (version !== '1') {
      throw new SchemaError(`The namespace "${namespace}" was written by a newer version of @quiesce/fleet: update it`);
    }
    checkRetention(namespace, Number(retention), this.#retention);
  }

  async listen(me: string, on: FleetListener): Promise<FleetSubscription> {
    const all = `${this.#base}:hint`;
    const own = `${all}:${me}`;
    const subscription = new RedisSubscription(
      {
        client: this.#client,
        limit: this.#limit,
        poll: this.#poll,
        channels: [all, own],
        publish: (text) => this.#command(['PUBLISH', own, text]),
        peek: async () => (await this.#step('peek', me)).map(toText),
        onClosed: (closed) => void this.#subscriptions.delete(closed),
      },
      on,
    );
    this.#subscriptions.add(subscription);
    await subscription.open();
    return subscription;
  }

  async append(records: readonly FleetRecord[]): Promise<void> {
    await this.#step('append', ...records.flatMap(({ log, id, body, ttl }) => [log, id, body, Math.ceil(ttl)]));
  }

  async read(log: string, after: unknown): Promise<LogPage> {
    const { entry = '', id = '' } = (after ?? {}) as Partial<Cursor>;
    const [whole, more, ...found] = await this.#step('read', log, entry, id);
    const [lastEntry, lastId, ...flat] = found.map(toText);
    const records: StoredRecord[] = [];
    for (let i = 0; i < flat.length; i += 3) {
      const [id = '', body = '', left] = flat.slice(i, i + 3);
      records.push({ id, body, left: Number(left) });
    }
    return { records, cursor: { entry: lastEntry, id: lastId }, whole: Number(whole) === 1, more: Number(more) === 1 };
  }

  async meet(
    me: { readonly id: string; readonly ttl: number; readonly keep: number } | undefined,
  ): Promise<MemberRecord[]> {
    if (me !== undefined) this.#keeps.set(me.id, Math.ceil(me.keep));
    const own = me === undefined ? [] : [me.id, Math.ceil(me.ttl), Math.ceil(me.keep)];
    const flat = await this.#step('meet', ...own);
    const members: MemberRecord[] = [];
    for (let i = 0; i < flat.length; i += 3) {
      members.push({ id: toText(flat[i]), left: Number(flat[i + 1]), gone: toText(flat[i + 2]) === '1' });
    }
    return members;
  }

  async leave(id: string): Promise<void> {
    const keep = this.#keeps.get(id);
    await this.#step('leave', id, ...(keep === undefined ? [] : [keep]));
  }

  async hold({ name, holder, ttl, permits, fence }: SlotRequest): Promise<SlotAnswer> {
    const renewed = fence === undefined ? [] : [fence];
    const [kind, value] = await this.#step('hold', name, holder, Math.ceil(ttl), permits, ...renewed);
    if (kind === 'lost') return { lost: true };
    return kind === 'wait' ? { wait: Number(value) } : { fence: Number(value) };
  }

  async release({
    name,
    holder,
    fence,
  }: {
    readonly name: string;
    readonly holder: string;
    readonly fence: number;
  }): Promise<void> {
    await this.#step('release', name, holder, fence);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#link?.fail(new ClosedError('The connection of the fleet to Redis is closed'));
    for (const subscription of [...this.#subscriptions]) await subscription.close();
  }

  /** Runs one step of the script, which the server knows by its hash. */
  async #step(name: string, ...args: readonly (string | number)[]): Promise<Reply> {
    const rest = ['1', this.#base, `${this.#retention}`, name, ...args.map(String)];
    const call = async (command: string, first: string): Promise<Reply> =>
      ((await this.#command([command, first, ...rest])) ?? []) as Reply;
    try {
      return await call('EVALSHA', this.#sha);
    } catch (error) {
      if (!textOf(error).includes('NOSCRIPT')) throw error;
      return await call('EVAL', script);
    }
  }

  async #command(args: readonly string[]): Promise<unknown> {
    if (this.#isClosed) throw new ClosedError('The connection of the fleet to Redis is closed');
    if (this.#link === undefined || this.#link.isDown) this.#link = new RedisLink(this.#client, this.#limit);
    const link = this.#link;
    try {
      return await link.run(args[5] ?? args[0] ?? '', (wire) => wire.command(args));
    } catch (error) {
      // After a failover the old primary is a replica. A new connection finds the new one.
      if (textOf(error).includes('READONLY')) link.fail(error);
      throw error;
    }
  }

  /** Returns what the server says about itself; `undefined` where an access list forbids it. */
  async #info(): Promise<string | undefined> {
    try {
      return toText(await this.#command(['INFO']));
    } catch (error) {
      if (!textOf(error).includes('NOPERM')) throw error;
      // biome-ignore lint/suspicious/noConsole: the only place that every platform has for what is not fatal
      console.warn(
        'redisEngine: INFO is forbidden, so the eviction policy is unknown. It must be noeviction or volatile-*',
      );
      return undefined;
    }
  }
}

/** @throws SchemaError or EngineUnavailableError */
function checkServer(info: string | undefined): void {
  if (info === undefined) return;
  const {
    redis_version: version = '',
    maxmemory_policy: policy = '',
    role,
  } = Object.fromEntries(info.split(/\r?\n/).map((line) => line.split(':', 2))) as Record<string, string | undefined>;
  if (role === 'slave') {
    throw new EngineUnavailableError('This Redis is a replica. Connect the client to the primary');
  }
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major * 100 + minor < 602) {
    throw new SchemaError(`Redis ${version} is too old: a fleet needs 6.2 or later`);
  }
  if (policy !== '' && !/^(noeviction|volatile-.*)$/.test(policy)) {
    throw new SchemaError(
      `Redis evicts keys by maxmemory-policy ${policy}, and a fleet would lose cancels and leases. ` +
        'Write maxmemory-policy noeviction, or one of volatile-*',
    );
  }
}

function textOf(error: unknown): string {
  return toText((error as { readonly message?: unknown } | null | undefined)?.message);
}

/**
 * Connects fleets through Redis from 6.2 or Valkey.
 *
 * TODO
 */
export function redisEngine(client: RedisClient, options?: RedisEngineOptions): FleetEngine {
  checkRedisClient(client);
  checkOptions('redisEngine', options, ['poll']);
  const poll = checkPoll('redisEngine', options?.poll);
  return {
    connect: async (namespace: string, retention: number, options?: ConnectOptions) => {
      const connection = new RedisConnection(client, poll, namespace, retention, options?.requestTimeout ?? 3_000);
      try {
        await connection.open(namespace);
        return connection;
      } catch (error) {
        await connection.close();
        throw error;
      }
    },
  };
}
