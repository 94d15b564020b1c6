// The guide, chapter 9, "Deadlock in Shutdown": a cleanup needs a lock whose holder waits for the cleanup.
//
// The guide says "use try_lock with timeout", but its code has no timeout, and neither has the lock of Rust's standard
// library. Here you can try a lock, limit the wait, or cancel the wait with a token. If a hook still waits, the
// shutdown gives up on it at its limit and names it, so that the other hooks run.

import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { Mutex } from '@quiesce/channel';
import { select, sleep } from '@quiesce/select';
import { Shutdown } from '@quiesce/shutdown';

const clock = new VirtualClock(); // takes no real time, and each run prints the same
const say = (text: string): void => console.log(`${String(clock.now()).padStart(4)} ms  ${text}`);

const shutdown = new Shutdown({ hookTimeout: 1_000, clock });
const lock = new Mutex();

/** Holds the lock until the shutdown is over, and the shutdown waits for the lock. */
async function worker(): Promise<void> {
  using _ = await lock.acquire();
  await shutdown.stopped();
}

// Hooks run in reverse order of registration.
shutdown.hook('others', () => say('the others are cleaned up'));

shutdown.hook('wrong', async () => {
  using _ = await lock.acquire();
  say('wrong: has the lock, after the shutdown gave up on the hook');
});

shutdown.hook('patient', async () => {
  const { branch, value } = await select.biased({ held: lock.acquire(), late: sleep(300, { clock }) });
  if (branch === 'held') value.release();
  say(branch === 'held' ? 'patient: saved' : 'patient: no lock within 300 ms, continuing without it');
});

shutdown.hook('right', () => {
  const tried = lock.tryAcquire();
  using _ = tried.ok ? tried.value : undefined;
  say(tried.ok ? 'right: saved' : 'right: could not acquire the lock, continuing without it');
});

await clock.run(async () => {
  const ended = worker();
  shutdown.request();
  const { hooks, exitCode } = await shutdown.stopped();
  for (const { name, outcome, durationMs } of hooks) say(`hook ${name}: ${outcome}, ${durationMs} ms`);
  say(`exit code ${exitCode}`);
  await ended;
});

// Output:
//      0 ms  right: could not acquire the lock, continuing without it
//    300 ms  patient: no lock within 300 ms, continuing without it
//   1300 ms  the others are cleaned up
//   1300 ms  hook wrong: timed out, 1000 ms
//   1300 ms  hook patient: done, 300 ms
//   1300 ms  hook others: done, 0 ms
//   1300 ms  hook right: done, 0 ms
//   1300 ms  exit code 1
//   1300 ms  wrong: has the lock, after the shutdown gave up on the hook
