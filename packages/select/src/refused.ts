import { isSource, source } from '@quiesce/cancellation-token';
import { isThenable } from '@quiesce/internal';
import { isMatch, pattern } from './pattern.ts';
import { watch } from './watched.ts';

/**
 * Something is wrong with the arguments: what promises are among them come to nothing, and are never "unhandled". Calls that
 * are sources give back what they took.
 */
export function handleAll(branches: object): void {
  attempt(() => {
    handle(branches);
    // The last one first: several calls of one receiver put their values back in order.
    for (const name of Object.keys(branches).reverse())
      attempt(() => handle((branches as Record<string, unknown>)[name]));
  });
}

/** The same for the one branch that was given. */
export function handleOne(branch: unknown): void {
  attempt(() => handle(branch));
}

function handle(branch: unknown): void {
  const inner = typeof branch === 'object' && branch !== null && isMatch(branch) ? branch[pattern].branch : branch;
  if (isSource(inner)) inner[source].defer?.();
  else if (isThenable(inner)) watch(inner);
}

/** What cannot even be looked at is no promise; why the call fails is known already. */
function attempt(look: () => void): void {
  try {
    look();
  } catch {}
}
