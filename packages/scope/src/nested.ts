import type { CancellationToken } from '@quiesce/cancellation-token';
import { append } from '@quiesce/internal';
import type { Life } from './life.ts';

/** The scopes that are alive and were given one and the same token. */
export interface Nested {
  head: Life | undefined;
}

/** How `tree()` finds the scopes below a task, which knows nothing of them: by the token that they were given. */
const byToken: WeakMap<CancellationToken, Nested> = new WeakMap();

/** Enters a scope; it takes itself out of the list when it has ended. */
export function enlist(token: CancellationToken, life: Life): Nested {
  let nested = byToken.get(token);
  if (nested === undefined) {
    nested = { head: undefined };
    byToken.set(token, nested);
  }
  append<Life>(nested, life);
  return nested;
}

/** The first of the scopes that were given this token. */
export function nestedBelow(token: CancellationToken): Life | undefined {
  return byToken.get(token)?.head;
}
