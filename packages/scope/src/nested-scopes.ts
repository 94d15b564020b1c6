import type { CancellationToken } from '@quiesce/cancellation-token';
import { append } from '@quiesce/internal';
import type { ScopeState } from './scope-state.ts';

/** The open scopes that were given the same token. */
export interface NestedScopes {
  head: ScopeState | undefined;
}

/** Lets `tree()` find the scopes inside a task. A task does not know them, so the key is the token that they were given. */
const byToken: WeakMap<CancellationToken, NestedScopes> = new WeakMap();

/** Adds a scope. It removes itself from the list when it is closed. */
export function registerNested(token: CancellationToken, state: ScopeState): NestedScopes {
  let nested = byToken.get(token);
  if (nested === undefined) {
    nested = { head: undefined };
    byToken.set(token, nested);
  }
  append<ScopeState>(nested, state);
  return nested;
}

/** The first of the scopes that were given this token, or `undefined`. */
export function nestedBelow(token: CancellationToken): ScopeState | undefined {
  return byToken.get(token)?.head;
}
