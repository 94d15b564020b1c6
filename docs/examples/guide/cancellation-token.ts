// The guide, chapter 6, "Tokio Shutdown Patterns": five tasks work until Ctrl-C cancels one token, then each cleans up.
//
// Nearly line by line: `CancellationToken` and `select` are Tokio's. The list of handles and the loop that awaits them are a
// scope, which also waits when one of the workers fails. Nothing is dropped at an await, so cleanup may wait as it likes.
//
// Run it, press Ctrl-C.

import { CancellationToken } from '@quiesce/cancellation-token';
import { scope } from '@quiesce/scope';
import { select, sleep } from '@quiesce/select';

const stop = new CancellationToken({ name: 'Ctrl-C' });

process.once('SIGINT', () => {
  console.log('Ctrl-C received, cancelling tasks');
  stop.cancel();
});

async function work(id: number, token: CancellationToken): Promise<void> {
  let iterations = 0;
  for (;;) {
    // In the order written: who is cancelled does not work once more.
    const { branch } = await select.biased({ cancelled: token, tick: sleep(200) });
    if (branch === 'cancelled') break;
    iterations++;
    console.log(`worker ${id}: iteration ${iterations}`);
  }
  console.log(`worker ${id}: cancelled after ${iterations} iterations`);
  await cleanUp(id);
}

async function cleanUp(id: number): Promise<void> {
  console.log(`worker ${id}: flushing buffers`);
  await sleep(100);
  console.log(`worker ${id}: cleanup complete`);
}

await scope(
  (s) => {
    for (let id = 0; id < 5; id++) s.spawn((token) => work(id, token), { name: `worker ${id}` });
    console.log('five workers started, press Ctrl-C to stop');
  },
  { signal: stop, name: 'workers' },
);
console.log('all tasks completed gracefully');

// Output, of each worker the same, with Ctrl-C after its first iteration:
//   five workers started, press Ctrl-C to stop
//   worker 0: iteration 1
//   Ctrl-C received, cancelling tasks
//   worker 0: cancelled after 1 iterations
//   worker 0: flushing buffers
//   worker 0: cleanup complete
//   all tasks completed gracefully
