import { ignore } from '@quiesce/internal';
import { BucketWatch } from './bucket-watch.ts';
import { EngineUnavailableError } from './errors.ts';
import type { NatsBucketName, NatsBuckets } from './nats-buckets.ts';
import type { NatsBucket, NatsWatchEntry } from './nats-client.ts';

/** Describes the local copy of a part of a bucket. */
export interface NatsMirror<T> {
  /** The entries of the copy: a key or a pattern. */
  readonly keys: string;
  readonly bucket: NatsBucketName;
  /** Makes an empty copy. */
  make(): { readonly data: T; add(entry: NatsWatchEntry): void };
  /**
   * Returns a revision that the copy must reach: the last one in the server, or that of an entry that it writes for the watch.
   *
   * @returns the revision
   * @throws (rejects) when the copy belongs to another stream, or has entries that were deleted
   */
  requiredRevision(bucket: NatsBucket, copy: NatsCopy<T>): Promise<number>;
}

/** An open local copy. */
export interface NatsCopy<T> {
  readonly watch: BucketWatch;
  readonly data: T;
}

/** The local copies of one connection. */
export class NatsMirrors {
  readonly #buckets: NatsBuckets;
  readonly #opened: Map<NatsMirror<unknown>, Promise<NatsCopy<unknown>>> = new Map();

  constructor(buckets: NatsBuckets) {
    this.#buckets = buckets;
  }

  /**
   * Opens a copy, if it is not open, and returns it when it has everything that was stored before the call.
   *
   * @param requiredRevision used in place of the mirror's own `requiredRevision`
   */
  async current<T>(
    mirror: NatsMirror<T>,
    requiredRevision: NatsMirror<T>['requiredRevision'] = mirror.requiredRevision,
  ): Promise<NatsCopy<T>> {
    for (let isLast = false; ; isLast = true) {
      const opening = this.#open(mirror);
      try {
        const filled = await opening;
        const bucket = await this.#buckets.get(mirror.bucket);
        const seen = filled.watch.seen;
        const revision = await requiredRevision(bucket, filled);
        // A recreated stream begins again with small revisions.
        if (revision < seen) throw new EngineUnavailableError('The data of NATS has gone back');
        await filled.watch.arrival(revision);
        return filled;
      } catch (error) {
        this.#close(mirror, opening);
        this.#buckets.forget();
        if (isLast) throw error;
      }
    }
  }

  /** Opens a copy. Its entries arrive later. */
  async open<T>(mirror: NatsMirror<T>): Promise<void> {
    await this.#open(mirror);
  }

  /** Closes all copies. Each is opened again at its next use. */
  closeAll(): void {
    for (const [mirror, opening] of [...this.#opened]) this.#close(mirror, opening);
  }

  #open<T>(mirror: NatsMirror<T>): Promise<NatsCopy<T>> {
    const open = async (): Promise<NatsCopy<T>> => {
      const { data, add } = mirror.make();
      return { data, watch: await BucketWatch.open(await this.#buckets.get(mirror.bucket), mirror.keys, add) };
    };
    let opening = this.#opened.get(mirror) as Promise<NatsCopy<T>> | undefined;
    if (opening === undefined) {
      opening = open();
      this.#opened.set(mirror, opening);
    }
    return opening;
  }

  #close(mirror: NatsMirror<unknown>, opening: Promise<NatsCopy<unknown>>): void {
    if (this.#opened.get(mirror) === opening) this.#opened.delete(mirror);
    opening.then(({ watch }) => watch.close(), ignore);
  }
}
