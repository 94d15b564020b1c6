import { checkNumber } from '@quiesce/internal';

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
