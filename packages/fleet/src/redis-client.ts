import { checkKind, ignore, toText } from '@quiesce/internal';

/**
 * A client of the package `redis` (made by `createClient`) or `ioredis` (made by `new Redis`). It need not be connected, because
 * the engine duplicates it.
 */
export interface RedisClient {
  /** Makes a client with the same options. */
  duplicate(): unknown;
  /** As `sendCommand` of `redis`. */
  sendCommand(...args: never[]): unknown;
}

/** One connection, of either package. */
export interface RedisWire {
  connect(): Promise<unknown>;
  command(args: readonly string[]): Promise<unknown>;
  subscribe(channels: readonly string[], onMessage: (message: string) => void): Promise<unknown>;
  /** Ends the connection at once. Unanswered calls reject. Never throws. */
  end(): void;
}

/** The used members of the clients of both packages. */
interface AnyRedis {
  readonly options?: { readonly socket?: object; readonly keyPrefix?: string };
  duplicate(overrides: object): AnyRedis;
  on(event: string, listener: (...args: never[]) => void): unknown;
  connect(): Promise<unknown>;
  sendCommand(args: readonly string[]): Promise<unknown>;
  subscribe(...args: unknown[]): Promise<unknown>;
  disconnect(): unknown;
  /** In `redis` since version 5, which has deprecated `disconnect`. */
  destroy?(): unknown;
  /** In `ioredis`, whose `sendCommand` takes another argument. */
  call?(...args: readonly string[]): Promise<unknown>;
}

/** @throws TypeError */
export function checkRedisClient(client: unknown): asserts client is RedisClient {
  const { duplicate, sendCommand } = Object(client) as Partial<Record<string, unknown>>;
  const isClient = typeof duplicate === 'function' && typeof sendCommand === 'function';
  checkKind(isClient, 'redisEngine: client', "a client of the package 'redis' or 'ioredis'", client);
  // In clusters, and in the sentinels of `redis`, each call must name a node for its command.
  if ((sendCommand as { length: number }).length <= 2) return;
  throw new TypeError(
    'redisEngine: expected a client of one server, got one of a cluster or of several: pass its primary',
  );
}

/** Returns the key prefix of the user's client. */
export function keyPrefixOf(client: RedisClient): string {
  return (client as unknown as AnyRedis).options?.keyPrefix ?? '';
}

/**
 * Duplicates a client. The duplicate never reconnects: the engine opens a new wire instead. A client that reconnects would send
 * commands that their callers have given up.
 *
 * @param onDown called with each error of the connection, and when it ends
 */
export function openWire(client: RedisClient, onDown: (error: unknown) => void): RedisWire {
  const { options, duplicate } = client as unknown as AnyRedis;
  // Each package ignores the options of the other.
  const wire = duplicate.call(client as unknown as AnyRedis, {
    keyPrefix: '',
    lazyConnect: true,
    retryStrategy: null,
    sentinelRetryStrategy: null,
    reconnectOnError: null,
    socket: { ...options?.socket, reconnectStrategy: false },
    // Replies must be strings. A cache that the client shares must not be cleared with the duplicate.
    commandOptions: {},
    clientSideCache: undefined,
  });
  // Without a listener, an error would end the process.
  wire.on('error', onDown);
  wire.on('end', () => onDown(new Error('The connection to Redis was closed')));
  return {
    connect: () => wire.connect(),
    command: (args) => (wire.call === undefined ? wire.sendCommand(args) : wire.call(...args)),
    subscribe: (channels, onMessage) => {
      if (wire.call === undefined) return wire.subscribe(channels, onMessage);
      wire.on('message', (_channel: string, message: string) => onMessage(message));
      return wire.subscribe(...channels);
    },
    // A closed client throws or rejects.
    end: () => void new Promise((resolve) => resolve((wire.destroy ?? wire.disconnect).call(wire))).catch(ignore),
  };
}

/** Whether an error is an answer of the server: it begins with a code. Otherwise, the server could not be reached. */
export function isRefusal(error: unknown, code = '[A-Z]+ '): boolean {
  return RegExp(`^${code}`).test(toText((error as Error | undefined)?.message));
}
