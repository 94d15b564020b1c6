import { ClosedError } from '@quiesce/cancellation-token';
import type { NatsBucket, NatsBucketOptions, NatsKvm } from './nats-client.ts';

/** The buckets of a namespace. */
export type NatsBucketName = 'log' | 'inbox' | 'members' | 'slots';

/** Opens the buckets of a namespace, and creates missing ones. */
export class NatsBuckets {
  readonly #kv: NatsKvm;
  readonly #namespace: string;
  /** How long an entry is kept, in ms. */
  readonly #ages: Readonly<Record<NatsBucketName, number>>;
  readonly #opened: Map<NatsBucketName, Promise<NatsBucket>> = new Map();
  /** `undefined` while it is open. */
  #closed: ClosedError | undefined;

  constructor(kv: NatsKvm, namespace: string, retention: number) {
    this.#kv = kv;
    this.#namespace = namespace;
    this.#ages = { log: retention, inbox: 60_000, members: 86_400_000, slots: 7_200_000 };
  }

  get(name: NatsBucketName): Promise<NatsBucket> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    let bucket = this.#opened.get(name);
    if (bucket === undefined) {
      const options: NatsBucketOptions = { ttl: this.#ages[name], allow_direct: false };
      bucket = this.#kv.create(`quiesce_${this.#namespace}_${name}`, options);
      this.#opened.set(name, bucket);
      bucket.catch(() => this.forget());
    }
    return bucket;
  }

  /** Opens no more buckets. Returns the error of later calls. */
  close(): ClosedError {
    this.#closed ??= new ClosedError('The connection of the fleet to NATS is closed');
    return this.#closed;
  }

  /** Opens the buckets again at their next use. They may be missing after a failure. */
  forget(): void {
    this.#opened.clear();
  }
}
