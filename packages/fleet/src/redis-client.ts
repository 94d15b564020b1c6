import { checkKind, ignore } from '@quiesce/internal';

/**
 * A client of the package `redis` (made by `createClient`) or `ioredis` (made by `new Redis`). It needs no connection of its
 * own: the engine duplicates it.
 */
export interface RedisClient {
  /** Makes a client with the same options. */
  duplicate(): unknown;
  sendCommand(...args: never[]): unknown;
}

/** What the engine needs of a connection, of either package. */
export interface RedisWire {
  connect(): Promise<unknown>;
  command(args: readonly string[]): Promise<unknown>;
  subscribe(channels: readonly string[], onMessage: (message: string) => void): Promise<unknown>;
  /** Ends the connection at once. Calls that it has not answered reject. Never throws. */
  end(): void;
}

interface Duplicated {
  on(event: string, listener: (...args: never[]) => void): unknown;
  connect(): Promise<unknown>;
}

interface NodeRedis extends Duplicated {
  readonly options?: { readonly socket?: object; readonly keyPrefix?: string };
  duplicate(overrides: object): NodeRedis;
  sendCommand(args: readonly string[]): Promise<unknown>;
  subscribe(channels: readonly string[], onMessage: (message: string) => void): Promise<unknown>;
  /** Since version 5. Earlier: `disconnect`. */
  destroy?(): unknown;
  disconnect?(): unknown;
}

interface IoRedis extends Duplicated {
  readonly options?: { readonly keyPrefix?: string };
  duplicate(overrides: object): IoRedis;
  call(...args: string[]): Promise<unknown>;
  subscribe(...channels: string[]): Promise<unknown>;
  disconnect(): void;
}

/** @throws TypeError */
export function checkRedisClient(client: unknown): asserts client is RedisClient {
  const { duplicate, sendCommand } = Object(client) as Partial<Record<string, unknown>>;
  const isClient = typeof duplicate === 'function' && typeof sendCommand === 'function';
  checkKind(isClient, 'redisEngine: client', "a client of the package 'redis' or 'ioredis'", client);
  // Clusters, and the sentinels of `redis`, send a command to a node that their call names.
  if ((sendCommand as { length: number }).length <= 2) return;
  throw new TypeError(
    'redisEngine: a client of one server is needed, got one of a cluster or of sentinels. Pass createClient(…) of ' +
      "'redis', or new Redis(…) of 'ioredis', which also knows sentinels",
  );
}

/** The prefix that the user's client gives to its keys. */
export function keyPrefixOf(client: RedisClient): string {
  return (client as unknown as NodeRedis).options?.keyPrefix ?? '';
}

/**
 * Duplicates a client. The duplicate makes one connection, and never another one: the engine opens a new wire instead, so that
 * no command is sent later than its caller believes.
 *
 * @param onDown called with each error of the connection, and when it ends
 */
export function openWire(client: RedisClient, limit: number, onDown: (error: unknown) => void): RedisWire {
  const isIoRedis = typeof (client as Partial<IoRedis>).call === 'function';
  const wire = isIoRedis
    ? ioRedisWire(client as unknown as IoRedis, limit)
    : nodeRedisWire(client as unknown as NodeRedis);
  const [duplicate, made] = wire;
  // Without a listener, an error would end the process.
  duplicate.on('error', onDown);
  duplicate.on('end', () => onDown(new Error('The connection to Redis was closed')));
  return made;
}

function nodeRedisWire(client: NodeRedis): [Duplicated, RedisWire] {
  const duplicate = client.duplicate({
    socket: { ...client.options?.socket, reconnectStrategy: false },
    disableOfflineQueue: true,
    // Replies are strings, and a cache that is shared with the client is not cleared with the duplicate.
    commandOptions: {},
    clientSideCache: undefined,
    keyPrefix: undefined,
  });
  const made = {
    connect: () => duplicate.connect(),
    command: (args: readonly string[]) => duplicate.sendCommand(args),
    subscribe: (channels: readonly string[], onMessage: (message: string) => void) =>
      duplicate.subscribe(channels, (message) => onMessage(message)),
    end: () => void quietly(() => (duplicate.destroy ?? duplicate.disconnect)?.call(duplicate)),
  };
  return [duplicate, made];
}

function ioRedisWire(client: IoRedis, limit: number): [Duplicated, RedisWire] {
  const duplicate = client.duplicate({
    lazyConnect: true,
    connectTimeout: limit,
    retryStrategy: null,
    sentinelRetryStrategy: null,
    reconnectOnError: null,
    enableOfflineQueue: false,
    enableAutoPipelining: false,
    autoResubscribe: false,
    keyPrefix: '',
  });
  const made = {
    connect: () => duplicate.connect(),
    command: ([name = '', ...args]: readonly string[]) => duplicate.call(name, ...args),
    subscribe: (channels: readonly string[], onMessage: (message: string) => void) => {
      duplicate.on('message', (_channel: string, message: string) => onMessage(message));
      return duplicate.subscribe(...channels);
    },
    end: () => void quietly(() => duplicate.disconnect()),
  };
  return [duplicate, made];
}

/** Closing a connection that is closed already throws, or rejects. */
async function quietly(end: () => unknown): Promise<void> {
  await new Promise((resolve) => resolve(end())).catch(ignore);
}
