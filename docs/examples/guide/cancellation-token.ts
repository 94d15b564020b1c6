// The guide, chapter 6, "Tokio Shutdown Patterns": five tasks work until Ctrl-C cancels their token. Then each cleans up.
//
// The listing is nearly line by line: `CancellationToken` and `select` are Tokio's. A scope replaces the list of
// handles and the loop that awaits them. It also waits when a worker fails. JavaScript drops nothing at an `await`, so
// a cleanup may wait.
//
// Run it, and press Ctrl-C.

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
    // Biased: after a cancellation, the worker does not start another iteration.
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
