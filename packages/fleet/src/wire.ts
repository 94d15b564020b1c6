/**
 * The bodies of records.
 *
 * A cancel is its key, a line break, and JSON. A member with an older version can therefore read the key of every record, and apply
 * every cancel. An answer is JSON.
 */

import { decoded } from './reason.ts';

/** The version of the JSON of a cancel. */
const VERSION = 1;

/** A cancel, as it was recorded, without its reason. */
export interface CancelHead {
  readonly key: string;
  /** The member that waits for answers, or `undefined` when none does. */
  readonly from: string | undefined;
  /** How long it covers new runs, in ms, or `undefined` for as long as it is kept. */
  readonly ttl: number | undefined;
}

/** @param reason the wire form of the reason */
export function encodeCancel(key: string, reason: string, from: string | undefined, ttl: number | undefined): string {
  const head = JSON.stringify({ v: VERSION, from, ttl });
  return `${key}\n${head.slice(0, -1)},"reason":${reason}}`;
}

/** Returns the cancel of a record. When the part after the key is damaged, only the key is known. */
export function decodeCancel(body: string): CancelHead {
  const key = keyIn(body);
  const { from, ttl } = parse(body.slice(key.length + 1));
  return {
    key,
    from: typeof from === 'string' ? from : undefined,
    ttl: typeof ttl === 'number' && ttl >= 0 ? ttl : undefined,
  };
}

/** Returns the reason of a record. When the record is newer or damaged, the reason says so. */
export function decodeCancelReason(body: string): unknown {
  const { v, reason } = parse(body.slice(keyIn(body).length + 1));
  return decoded(v === VERSION ? reason : {});
}

function keyIn(body: string): string {
  const end = body.indexOf('\n');
  return end === -1 ? body : body.slice(0, end);
}

/** What a member reports about a cancel that it has applied. */
export interface Answer {
  readonly cancel: string;
  readonly node: string;
  readonly tokenCount: number;
  readonly runCount: number;
  readonly runningCount: number;
  readonly unfinished: readonly string[];
}

export function encodeAnswer(answer: Answer): string {
  return JSON.stringify(answer);
}

/** Returns an answer, or `undefined` for a record that is no answer. */
export function decodeAnswer(body: string): Answer | undefined {
  const { cancel, node, tokenCount, runCount, runningCount, unfinished } = parse(body);
  if (typeof cancel !== 'string' || typeof node !== 'string') return undefined;
  if (typeof tokenCount !== 'number' || typeof runCount !== 'number') return undefined;
  if (typeof runningCount !== 'number') return undefined;
  const keys = Array.isArray(unfinished) ? unfinished.filter((key) => typeof key === 'string') : [];
  return { cancel, node, tokenCount, runCount, runningCount, unfinished: keys };
}

function parse(json: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(json)) as Record<string, unknown>;
  } catch {
    return {};
  }
}
