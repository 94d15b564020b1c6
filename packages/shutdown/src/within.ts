import type { CancellationToken, Clock, Source } from '@quiesce/cancellation-token';
import { select, sleep } from '@quiesce/select';

/**
 * Waits for work that never fails, no longer than a time, and no longer than to a force. What is ready goes first.
 *
 * @param forced `undefined`: nothing forces it any more
 */
export async function within(
  work: Source<unknown> | PromiseLike<unknown>,
  ms: number,
  forced: CancellationToken | undefined,
  clock: Clock,
): Promise<'done' | 'forced' | 'late'> {
  const late = ms < Number.POSITIVE_INFINITY && sleep(ms, { clock });
  const { branch } = await select.biased({ done: work, forced: forced ?? false, late });
  return branch;
}
