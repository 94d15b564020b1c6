import { ClosedError } from '@quiesce/cancellation-token';
import { toText } from '@quiesce/internal';
import { checkRetention } from './checks.ts';
import type {
  EngineConnection,
  FleetListener,
  FleetRecord,
  FleetSubscription,
  LogPage,
  MemberRecord,
  SlotAnswer,
  SlotRequest,
} from './engine.ts';
import { EngineUnavailableError, SchemaError } from './errors.ts';
import { isRefusal, keyPrefixOf, type RedisClient } from './redis-client.ts';
import { RedisLink } from './redis-link.ts';
import { RedisSubscription } from './redis-listen.ts';
import { script } from './redis-script.ts';

/** The answer of a step: a flat list. */
type Reply = readonly string[];

/** Where the next read begins: the last entry of the stream that was read, and its record. */
type Cursor = readonly [entry: string, id: string];

/** The parts of a connection of a fleet. */
interface RedisOptions {
  readonly client: RedisClient;
  readonly namespace: string;
  readonly retention: number;
  /** The limit of a call, in ms. */
  readonly limit: number;
  readonly poll: number;
  /** Called when hints do not arrive. */
  onPolling(): void;
}

/** The connection of one fleet: one connection for commands, and one for each subscription. */
export class RedisConnection implements EngineConnection {
  readonly #options: RedisOptions;
  readonly #base: string;
  /** The hash of the script in the server, or empty before it was loaded. */
  #sha = '';
  /** Opened at the first command, and again after it has ended. */
  #link: RedisLink | undefined;
  readonly #subscriptions: Set<RedisSubscription> = new Set();
  /** How long members of this connection are kept, by id. When they leave, the server may have lost their record. */
  readonly #keeps: Map<string, number> = new Map();
  /** `undefined` while it is open. */
  #closed: ClosedError | undefined;

  constructor(options: RedisOptions) {
    this.#options = options;
    this.#base = `${keyPrefixOf(options.client)}{quiesce:${options.namespace}}`;
  }

  /** @throws (rejects) SchemaError, EngineUnavailableError, RangeError for another retention */
  async open(): Promise<void> {
    const { namespace, retention } = this.#options;
    await this.#checkServer();
    const [version, stored] = await this.#step('about');
    if (version !== '1') {
      throw new SchemaError(
        `The namespace "${namespace}" belongs to a newer version of @quiesce/fleet. Update this one`,
      );
    }
    checkRetention(namespace, Number(stored), retention);
  }

  async listen(me: string, on: FleetListener): Promise<FleetSubscription> {
    const all = `${this.#base}:hint`;
    const own = `${all}:${me}`;
    const publish = (text: string): Promise<unknown> => this.#command('PUBLISH', own, text);
    const subscription = new RedisSubscription({ ...this.#options, channels: [all, own], publish }, on);
    for (const old of this.#subscriptions) if (old.isClosed) this.#subscriptions.delete(old);
    this.#subscriptions.add(subscription);
    try {
      await subscription.open();
      return subscription;
    } catch (error) {
      await subscription.close();
      throw error;
    }
  }

  async append(records: readonly FleetRecord[]): Promise<void> {
    await this.#step('append', ...records.flatMap(({ log, id, body, ttl }) => [log, id, body, Math.ceil(ttl)]));
  }

  async read(log: string, after: unknown): Promise<LogPage> {
    const [whole, more, ...found] = await this.#step('read', log, ...((after as Cursor | undefined) ?? ['0-0', '']));
    const records = triples(found.slice(2)).map(([id, body, left]) => ({ id, body, left: Number(left) }));
    return { records, cursor: found.slice(0, 2), whole: whole === '1', more: more === '1' };
  }

  async meet(me?: { readonly id: string; readonly ttl: number; readonly keep: number }): Promise<MemberRecord[]> {
    if (me !== undefined) this.#keeps.set(me.id, Math.ceil(me.keep));
    const members = await this.#step('meet', ...(me ? [me.id, Math.ceil(me.ttl), Math.ceil(me.keep)] : []));
    return triples(members).map(([id, left, gone]) => ({ id, left: Number(left), gone: gone === '1' }));
  }

  async leave(id: string): Promise<void> {
    const keep = this.#keeps.get(id);
    await this.#step('leave', id, ...(keep === undefined ? [] : [keep]));
  }

  async hold({ name, holder, ttl, permits, fence }: SlotRequest): Promise<SlotAnswer> {
    const own = fence === undefined ? [] : [fence];
    const [kind, value] = await this.#step('hold', name, holder, Math.ceil(ttl), permits, ...own);
    if (kind === 'lost') return { lost: true };
    return kind === 'wait' ? { wait: Number(value) } : { fence: Number(value) };
  }

  async release(slot: { readonly name: string; readonly holder: string; readonly fence: number }): Promise<void> {
    await this.#step('release', slot.name, slot.holder, slot.fence);
  }

  async close(): Promise<void> {
    this.#closed ??= new ClosedError('The connection of the fleet to Redis is closed');
    this.#link?.fail(this.#closed);
    for (const subscription of this.#subscriptions) await subscription.close();
  }

  /** Runs one step of the script, and loads the script again after a restart of the server. */
  async #step(name: string, ...args: readonly (string | number)[]): Promise<Reply> {
    const { retention } = this.#options;
    const call = (): Promise<unknown> =>
      this.#command('EVALSHA', this.#sha, '1', this.#base, `${retention}`, name, ...args.map(String));
    const reply = await call().catch(async (error) => {
      if (!isRefusal(error, 'NOSCRIPT')) throw error;
      this.#sha = toText(await this.#command('SCRIPT', 'LOAD', script));
      return await call();
    });
    return (reply as readonly unknown[]).map(toText);
  }

  async #command(...args: readonly string[]): Promise<unknown> {
    if (this.#closed !== undefined) throw this.#closed;
    const { client, limit } = this.#options;
    if (this.#link === undefined || this.#link.isDown) this.#link = new RedisLink(client, limit);
    return await this.#link.run(args[5] ?? (args[0] as string), (wire) => wire.command(args));
  }

  /** @throws (rejects) SchemaError or EngineUnavailableError for a server that cannot keep the guarantees of an engine */
  async #checkServer(): Promise<void> {
    const info = await this.#command('INFO').then(toText, (error) => {
      if (!isRefusal(error, 'NOPERM')) throw error;
      // biome-ignore lint/suspicious/noConsole: not fatal, and every platform has a console
      console.warn('redisEngine: INFO is forbidden, so it is not known whether the maxmemory-policy evicts keys');
    });
    const fact = (name: string): string => RegExp(`^${name}:(.*)`, 'm').exec(info ?? '')?.[1] ?? '';
    const [version, policy] = [fact('redis_version'), fact('maxmemory_policy')];
    if (fact('role').startsWith('slave'))
      throw new EngineUnavailableError('This Redis is a replica: connect to its primary');
    if (/^([1-5]|6\.[01])\./.test(version)) throw new SchemaError(`Redis ${version} is too old: a fleet needs 6.2`);
    if (policy.startsWith('all')) {
      throw new SchemaError(`Redis evicts keys (maxmemory-policy ${policy}): set noeviction or volatile-*`);
    }
  }
}

function triples(flat: Reply): [string, string, string][] {
  const all: [string, string, string][] = [];
  for (let i = 0; i < flat.length; i += 3) all.push(flat.slice(i, i + 3) as [string, string, string]);
  return all;
}
