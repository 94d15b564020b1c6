import { CancellationToken } from '@quiesce/cancellation-token';
import type { ScopeOptions } from './options.ts';

/** The token of a scope: below the one that it was given, with its own deadlines. */
export function tokenBelow(outer: CancellationToken | undefined, options: ScopeOptions): CancellationToken {
  const { timeout, deadline, clock } = options;
  const token = outer === undefined ? new CancellationToken() : outer.childToken();
  if (timeout === undefined && deadline === undefined) return token;
  const limited = timeout === undefined ? token : token.withTimeout(timeout, { clock });
  return deadline === undefined ? limited : limited.withDeadline(deadline, { clock });
}
