// The guide, chapter 7, "Graceful Timeout": shuts something down within a time, and says when that was not possible.
//
// When the time is over the guide's thread goes on, and is never told. Here it is told, through its token, and has a last
// second: what obeys has ended, what does not is left behind, and the outcome says which. A failure is thrown.
// For a whole program see `runMain`: it does this with each hook, and the exit code says what came of it.

import type { CancellationToken } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { select, sleep } from '@quiesce/select';
import { shutdownWithTimeout } from '@quiesce/shutdown';

const clock = new VirtualClock(); // no real time passes, and each run prints the same

async function attempt(name: string, shutdown: (token: CancellationToken) => unknown): Promise<void> {
  const start = clock.now();
  const end = (what: string): void => console.log(`${name}: ${what} after ${clock.now() - start} ms`);
  try {
    const result = await shutdownWithTimeout(shutdown, 5_000, { forceTimeout: 1_000, clock });
    if (result.outcome === 'graceful') end('clean exit');
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
  await attempt('a deaf one', () => sleep(60_000, { clock }));
});

// Output:
//   services: clean exit after 2000 ms
//   a broken disk: shutdown failed (disk full) after 1000 ms
//   a slow upload: timeout exceeded, it obeyed after 5000 ms
//   a deaf one: timeout exceeded, forcing exit without it after 6000 ms
