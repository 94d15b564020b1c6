import type { CancellationToken, Clock, Source } from '@quiesce/cancellation-token';
import { select, sleep } from '@quiesce/select';

/**
 * Waits for work that never rejects, until a time limit or a force. When several are ready, the work wins.
 *
 * @param forced `undefined` when no force can end the wait
 */
export async function raceDeadline(
  work: Source<unknown> | PromiseLike<unknown>,
  ms: number,
  forced: CancellationToken | undefined,
  clock: Clock,
): Promise<'done' | 'forced' | 'late'> {
  const late = ms < Number.POSITIVE_INFINITY && sleep(ms, { clock });
  const { branch } = await select.biased({ done: work, forced: forced ?? false, late });
  return branch;
}
