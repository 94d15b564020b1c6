import { show } from '@quiesce/internal';

/**
 * Returns the checked option `poll` of an engine.
 *
 * @throws TypeError or RangeError
 */
export function checkPoll(call: string, poll: unknown = 500): number {
  const wanted = `${call}: poll must be milliseconds from 50 to 60,000, got ${show(poll)}`;
  if (typeof poll !== 'number') throw new TypeError(wanted);
  if (poll >= 50 && poll <= 60_000) return poll;
  throw new RangeError(wanted);
}
