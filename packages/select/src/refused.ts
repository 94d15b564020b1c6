import { isSource, source } from '@quiesce/cancellation-token';
import { isThenable } from '@quiesce/internal';
import { wrongBranches } from './kinds.ts';
import { isMatch, pattern } from './pattern.ts';
import { watch } from './watched.ts';

/**
 * Something is wrong with the arguments: what promises are among them come to nothing, and are never "unhandled". Calls that
 * are sources give back what they took.
 */
export function handleAll(branches: object): void {
  quietly(() => {
    handle(branches);
    // The last one first: several calls of one receiver put their values back in order.
    for (const name of Object.keys(branches).reverse())
      quietly(() => handle((branches as Record<string, unknown>)[name]));
  });
}

/**
 * Lets all calls among the branches give back what they took, before any branch is polled: one that is not reached must not
 * keep it. The last call goes first, so that several of one receiver put their values back in order.
 */
export function deferCalls(branches: object): void {
  for (const branch of Object.values(branches).reverse()) {
    const inner = innerOf(branch);
    if (isSource(inner)) inner[source].defer?.();
  }
}

/**
 * The same as `handleAll`. Returns the error for the caller: one that names the call that the user wrote, and the real mistake
 * if `branches` is a branch or a list.
 */
export function refusal(branches: object, error: unknown, call: string): unknown {
  handleAll(branches);
  let better = error;
  quietly(() => {
    better = wrongBranches(branches) ?? error;
  });
  const isOther = call !== 'select' && better instanceof TypeError && better.message.startsWith('select: ');
  return isOther
    ? new TypeError(call + (better as TypeError).message.replace('select', '').replaceAll('select(', `${call}(`))
    : better;
}

/** The same for the one branch that was given. */
export function handleOne(branch: unknown): void {
  quietly(() => handle(branch));
}

function handle(branch: unknown): void {
  const inner = innerOf(branch);
  if (isSource(inner)) inner[source].defer?.();
  else if (isThenable(inner)) watch(inner);
}

/** The branch in a pattern, or the branch. */
function innerOf(branch: unknown): unknown {
  return typeof branch === 'object' && branch !== null && isMatch(branch) ? branch[pattern].branch : branch;
}

/** What cannot even be looked at is no promise; why the call fails is known already. */
function quietly(look: () => void): void {
  try {
    look();
  } catch {}
}
