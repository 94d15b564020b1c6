// The guide, chapter 7, "Graceful Timeout": shuts a part down within a time limit, and reports whether that succeeded.
//
// At the time limit, the guide's thread continues and gets no message. Here the token is cancelled, and the work has
// one more second. Work that obeys has ended by then. Other work is left running, and the outcome shows which case it
// was. A failure is thrown. For a whole program see `runMain`, which does this for each hook and sets the exit code.

import type { CancellationToken } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { select, sleep } from '@quiesce/select';
import { shutdownWithTimeout } from '@quiesce/shutdown';

const clock = new VirtualClock(); // takes no real time, and each run prints the same

async function attempt(name: string, shutdown: (token: CancellationToken) => unknown): Promise<void> {
  const start = clock.now();
  const end = (what: string): void => console.log(`${name}: ${what} after ${clock.now() - start} ms`);
  try {
    const result = await shutdownWithTimeout(shutdown, 5_000, { cleanupTimeout: 1_000, clock });
    if (result.status === 'fulfilled') end('clean exit');
    else end(result.hasEnded ? 'timeout exceeded, it obeyed' : 'timeout exceeded, forcing exit without it');
  } catch (error) {
    end(`shutdown failed (${(error as Error).message})`);
  }
}

await clock.run(async () => {
  await attempt('services', () => sleep(2_000, { clock }));
  await attempt('a broken disk', async () => {
    await sleep(1_000, { clock });
    throw new Error('disk full');
  });
  await attempt('a slow upload', async (token) => {
    await select({ token, done: sleep(60_000, { clock }) });
    token.throwIfCancelled();
  });
  await attempt('an unresponsive one', () => sleep(60_000, { clock }));
});

// Output:
//   services: clean exit after 2000 ms
//   a broken disk: shutdown failed (disk full) after 1000 ms
//   a slow upload: timeout exceeded, it obeyed after 5000 ms
//   an unresponsive one: timeout exceeded, forcing exit without it after 6000 ms
