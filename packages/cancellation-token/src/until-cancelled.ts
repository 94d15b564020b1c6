import { protocolOf, type Source, source } from './source.ts';
import { CancellationToken } from './token.ts';
import { type UntilCancelled, UntilCancelledSource } from './until-cancelled-source.ts';

/**
 * Creates a source that takes from `work` until `token` is cancelled; `token.runUntilCancelled` is built on it.
 *
 * Use it to build a source of your own. In a program, use `token.runUntilCancelled` or a branch of `select`.
 *
 * **Timing.** Its first poll polls the token; every later one polls the work first, so that on a tie the value wins.
 *
 * **Cancel safety.** The same as that of `work`: once cancelled, nothing more is taken from it.
 *
 * @param token the token, or an `AbortSignal`
 * @param work any source
 * @returns a source of `{ status: 'fulfilled', value }` or `{ status: 'cancelled', reason }`
 * @throws TypeError when `token` is neither a token nor a signal, or `work` is not a source; when polled, the error of `work`
 * @see tokio_util::sync::CancellationToken::run_until_cancelled (tokio-util 0.7.19)
 * @example
 * ```ts
 * const [stop, job] = [new CancellationToken(), new CancellationToken()];
 * const either = wait(untilCancelled(stop, job));
 * job.cancel('done');
 * console.log(await either); // => { status: 'fulfilled', value: 'done' }
 * ```
 */
export function untilCancelled<T>(token: CancellationToken | AbortSignal, work: Source<T>): Source<UntilCancelled<T>> {
  // First, so that a call that is a source puts back its value even when `token` is refused.
  const protocol = protocolOf(work, 'untilCancelled');
  return { [source]: new UntilCancelledSource(CancellationToken.from(token, 'untilCancelled')[source], protocol) };
}
