// The work of the demo. It is the same with a fleet and without one.
import type { CancellationToken } from '@quiesce/cancellation-token';
import { select, sleep } from '@quiesce/select';
import { now, report } from './protocol.ts';

const STEP_MS = 300;
const LAST_STEPS = 3;

/** Works step by step until its token is cancelled, and then cleans up. When the process drains, it takes its last steps. */
export async function work(key: string, token: CancellationToken, draining: CancellationToken): Promise<void> {
  for (let left = LAST_STEPS; left > 0; left -= draining.isCancelled ? 1 : 0) {
    report({ e: 'step', key, at: now() });
    const { branch } = await select.biased({ cancelled: token, step: sleep(STEP_MS) });
    if (branch === 'step') continue;
    await sleep(50); // the cleanup
    report({ e: 'cleaned up', key, at: now() });
    return;
  }
  report({ e: 'done', key, at: now() });
}
