/** The tools of the cases of `engineContract`. */

import { systemClock } from '@quiesce/cancellation-token';
import { show } from '@quiesce/internal';
import type { EngineConnection, FleetEngine, FleetRecord, StoredRecord } from '../engine.ts';

/** The limit for each wait, in ms. Only an engine that fails takes this long. */
const LIMIT = 30_000;
const POLL = 10;

export const RETENTION = 3_600_000;

/** A name with characters that are special in SQL, in patterns, in subjects and in hash tags. */
export const odd = (name: string): string => `${name} .*>{'"%_:ü/`;

/** The world of a case: a new namespace, and connections that are closed after the case. */
export interface ContractWorld {
  readonly engine: FleetEngine;
  readonly namespace: string;
  connect(namespace?: string): Promise<EngineConnection>;
}

/** @throws (rejects) Error that names the invariant, the demand and the observed behaviour */
export async function inWorld(engine: FleetEngine, body: (world: ContractWorld) => Promise<void>): Promise<void> {
  const opened: EngineConnection[] = [];
  const own = `contract_${randomHex(16)}`;
  const connect = async (namespace = own): Promise<EngineConnection> => {
    const connection = await engine.connect(namespace, RETENTION, { requestTimeout: LIMIT });
    opened.push(connection);
    return connection;
  };
  try {
    await body({ engine, namespace: own, connect });
  } finally {
    await Promise.all(opened.map((connection) => connection.close?.()));
  }
}

/**
 * @param invariant the number of the invariant and its demand
 * @throws Error
 */
export function demand(holds: boolean, invariant: string, seen: unknown): asserts holds {
  if (!holds) throw new Error(`${invariant}. Seen: ${describe(seen)}`);
}

/** Compares two lists without regard to their order. */
export function demandSame(seen: Iterable<string>, expected: Iterable<string>, invariant: string): void {
  const left = [...seen].sort();
  const right = [...expected].sort();
  const missing = right.filter((one) => !left.includes(one));
  const extra = left.filter((one, i) => !right.includes(one) || left[i - 1] === one);
  if (missing.length === 0 && extra.length === 0) return;
  const some = (list: string[]): string => `${list.length} (${list.slice(0, 3).join(', ')})`;
  throw new Error(
    `${invariant}. Seen: ${left.length} in place of ${right.length}; missing ${some(missing)}, too many ${some(extra)}`,
  );
}

/**
 * Repeats a question until its answer is not `undefined`.
 *
 * @throws (rejects) Error after the limit
 */
export async function until<T>(invariant: string, get: () => T | undefined | Promise<T | undefined>): Promise<T> {
  const start = systemClock.now();
  for (;;) {
    const answer = await get();
    if (answer !== undefined) return answer;
    demand(systemClock.now() - start < LIMIT, invariant, `nothing of the kind within ${LIMIT} ms`);
    await pause(POLL);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => void systemClock.setTimer(ms, resolve, { ref: true }));
}

/** Makes records with the ids `<prefix>0`, `<prefix>1`, … */
export function records(log: string, prefix: string, count: number, ttl = 60_000): FleetRecord[] {
  return Array.from({ length: count }, (_, i) => ({ log, id: `${prefix}${i}`, body: `body of ${prefix}${i}`, ttl }));
}

export function idsOf(list: readonly { readonly id: string }[]): string[] {
  return list.map(({ id }) => id);
}

/** Everything that a chain of reads has returned. */
export interface Chain {
  readonly records: StoredRecord[];
  readonly cursor: unknown;
  /** How many of the answers were whole. */
  readonly wholeCount: number;
  readonly pageCount: number;
}

/** Reads until there is no more. */
export async function readAll(connection: EngineConnection, log: string, after?: unknown): Promise<Chain> {
  const all: StoredRecord[] = [];
  let cursor = after;
  for (let pageCount = 1, wholeCount = 0; ; pageCount++) {
    const page = await connection.read(log, cursor);
    if (page.whole) wholeCount++;
    all.push(...page.records);
    cursor = page.cursor;
    demand(page.records.length <= 500, 'read returns at most 500 records', page.records.length);
    if (!page.more) return { records: all, cursor, wholeCount, pageCount };
  }
}

export function randomHex(length: number): string {
  let hex = '';
  while (hex.length < length) hex += Math.floor(Math.random() * 16).toString(16);
  return hex;
}

function describe(seen: unknown): string {
  if (typeof seen === 'string') return seen;
  try {
    return JSON.stringify(seen) ?? show(seen);
  } catch {
    return show(seen);
  }
}
