import { protocolOf, type Source, source } from './source.ts';
import { CancellationToken } from './token.ts';
import { type UntilCancelled, UntilCancelledSource } from './until-cancelled-source.ts';

/**
 * Creates a source that takes from `work` until `token` is cancelled, as Tokio's `run_until_cancelled` does, poll by poll.
 *
 * @throws TypeError when `token` is neither a token nor a signal, or `work` is not a source; when polled, the error of `work`
 */
export function untilCancelled<T>(token: CancellationToken | AbortSignal, work: Source<T>): Source<UntilCancelled<T>> {
  // First, so that a call that is a source puts back its value even when `token` is refused.
  const protocol = protocolOf(work, 'untilCancelled');
  return { [source]: new UntilCancelledSource(CancellationToken.from(token, 'untilCancelled')[source], protocol) };
}
