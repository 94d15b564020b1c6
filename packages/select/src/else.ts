import type { AnyBranches, AnyOutcome } from './branches.ts';
import { SelectError } from './errors.ts';

/** As of the branches, only what the literal says itself: a class or a polluted prototype has no say. */
export function elseOf(branches: AnyBranches): unknown {
  return Object.hasOwn(branches, 'else') ? branches['else'] : undefined;
}

/** What a select gives whose branches are all off. */
export async function otherwise(fn: unknown): Promise<AnyOutcome> {
  if (typeof fn === 'function') return { branch: 'else', value: await (fn as () => unknown)() };
  throw new SelectError('every branch is off and there is no else: add `else: () => …` or keep one branch on', []);
}
