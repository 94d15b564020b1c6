import { checkKind, checkNumber } from '@quiesce/internal';
import type { FleetEngine } from './engine.ts';

/** @throws TypeError unless `engine` has the method `connect` */
export function checkEngine(call: string, engine: FleetEngine): void {
  checkKind(typeof engine?.connect === 'function', call, 'an engine, such as memoryEngine()', engine);
}

/**
 * Returns the checked option `poll` of an engine.
 *
 * @throws TypeError unless it is a number; RangeError when it is out of range
 */
export function checkPoll(call: string, poll = 500): number {
  const isRight = typeof poll === 'number' && poll >= 50 && poll <= 60_000;
  checkNumber(isRight, `${call}: poll`, 'milliseconds from 50 to 60,000', poll);
  return poll;
}

/**
 * Refuses a fleet whose `retention` differs from that of its namespace. Members count the age of a cancel by it.
 *
 * @throws RangeError
 */
export function checkRetention(namespace: string, stored: number, retention: number): void {
  if (stored === retention) return;
  throw new RangeError(
    `joinFleet: retention is ${retention}, but the namespace ${JSON.stringify(namespace)} has ${stored}: ` +
      'write the same value in all members, or another namespace',
  );
}
