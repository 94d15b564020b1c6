import { checkKind } from '@quiesce/internal';

/** An entry of a bucket. */
export interface NatsEntry {
  /** The key. */
  readonly key: string;
  /** The number of the entry in its stream. */
  readonly revision: number;
  /** By the server's clock. */
  readonly created: Date;
  /** `PUT`, `DEL` or `PURGE`. */
  readonly operation: string;
  /** Returns the value as a string. */
  string(): string;
}

/** An entry that a watch has delivered. */
export interface NatsWatchEntry extends NatsEntry {
  /** Whether it was stored after the watch began. */
  readonly isUpdate: boolean;
}

/** A watch of a bucket. */
export interface NatsWatch extends AsyncIterable<NatsWatchEntry> {
  /** Ends the watch. */
  stop(): void;
}

/** The used members of a key-value bucket. */
export interface NatsBucket {
  /** As `KV.put` of `@nats-io/kv`. */
  put(key: string, value: string, options?: { previousSeq?: number; timeout?: number }): Promise<number>;
  /** As `KV.get` of `@nats-io/kv`. */
  get(key: string): Promise<NatsEntry | null>;
  /** As `KV.delete` of `@nats-io/kv`. */
  delete(key: string, options?: { previousSeq?: number }): Promise<void>;
  /** As `KV.watch` of `@nats-io/kv`. */
  watch(options: { key: string }): Promise<NatsWatch>;
  /** As `KV.status` of `@nats-io/kv`. */
  status(): Promise<NatsStatus>;
}

/** The state of a bucket, from the leader of its stream. */
export interface NatsStatus {
  /** In ms. */
  readonly ttl: number;
  /** The stream of the bucket. */
  readonly streamInfo: {
    readonly created: unknown;
    readonly state: { readonly first_seq: number; readonly last_seq: number; readonly messages: number };
  };
}

/** Options of a bucket. */
export interface NatsBucketOptions {
  /** In ms. */
  ttl: number;
  /** `false`: only the leader of the stream answers, because a replica may be late. */
  allow_direct: boolean;
}

/** A connection of `@nats-io/transport-node`, or of another transport of nats.js from version 3. */
export interface NatsClient {
  /** As `NatsConnection.status`. */
  status(): AsyncIterable<{ readonly type: string }>;
  /** As `NatsConnection.rtt`. */
  rtt(): Promise<number>;
  /** As `NatsConnection.reconnect`. */
  reconnect(): Promise<void>;
  /** As `NatsConnection.info`. */
  readonly info?: { readonly max_payload: number };
}

/** A `Kvm` of `@nats-io/kv`. */
export interface NatsKvm {
  /** As `Kvm.create` of `@nats-io/kv`. */
  create(name: string, options?: NatsBucketOptions): Promise<NatsBucket>;
}

/** Options for `natsEngine`. */
export interface NatsEngineOptions {
  /** The connection. Several fleets may share it. */
  readonly connection: NatsClient;
  /** `new Kvm(connection)`. */
  readonly kv: NatsKvm;
}

/** @throws TypeError */
export function checkNatsClients({ connection, kv }: Partial<Record<'connection' | 'kv', unknown>>): void {
  const { rtt, status } = Object(connection) as Partial<NatsClient>;
  const isConnection = typeof rtt === 'function' && typeof status === 'function';
  checkKind(isConnection, 'natsEngine: connection', 'a connection of nats.js from version 3', connection);
  const { create } = Object(kv) as Partial<NatsKvm>;
  checkKind(
    typeof create === 'function' && kv !== connection,
    'natsEngine: kv',
    'new Kvm(connection) of @nats-io/kv',
    kv,
  );
}

/** Encodes a text as a key without special characters. */
export function encodeKey(text: string): string {
  let bytes = '';
  for (const byte of new TextEncoder().encode(text)) bytes += String.fromCharCode(byte);
  return btoa(bytes).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}

export function decodeKey(key: string): string {
  const bytes = atob(key.replace(/-/g, '+').replace(/_/g, '/'));
  return new TextDecoder().decode(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0)));
}

/** Whether a write failed because the key has another revision. */
export function isConflict(error: unknown): boolean {
  return /wrong last sequence/.test(String((error as { readonly message?: unknown } | null | undefined)?.message));
}
