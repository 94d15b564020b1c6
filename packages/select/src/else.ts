import type { AnyOutcome } from './branches.ts';
import { SelectError } from './errors.ts';

/** What a select gives whose branches are all off. */
export async function otherwise(fn: unknown): Promise<AnyOutcome> {
  if (typeof fn === 'function') return { branch: 'else', value: await (fn as () => unknown)() };
  throw new SelectError('every branch is off and there is no else: add `else: () => …` or keep one branch on', []);
}
