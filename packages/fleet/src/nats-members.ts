import type { MemberRecord } from './engine.ts';
import { decodeKey, type NatsEntry } from './nats-client.ts';

/** A member in the bucket: its `ttl` and `keep` in ms, and whether it has left. */
type Stored = readonly [ttl: number, keep: number, gone: boolean];

/** The local copy of the list of members. */
export class NatsMembers {
  readonly #members: Map<string, { readonly stored: Stored; readonly since: number }> = new Map();

  add(entry: NatsEntry): void {
    const stored = JSON.parse(entry.string()) as Stored;
    this.#members.set(entry.key, { stored, since: entry.created.getTime() });
  }

  /** @param now the server's time */
  list(now: number): MemberRecord[] {
    const list: MemberRecord[] = [];
    for (const [key, { stored, since }] of this.#members) {
      const [ttl, keep, gone] = stored;
      const left = Math.min(ttl, since + ttl - now);
      if (left <= -keep) this.#members.delete(key);
      else list.push({ id: decodeKey(key), left, gone });
    }
    return list;
  }

  static encode(...stored: Stored): string {
    return JSON.stringify(stored);
  }
}
