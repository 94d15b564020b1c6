// The guide, chapter 4, "Basic Signal Handling": Ctrl-C sets a flag, and the main loop checks it and ends in order.
//
// The flag is a token. It also has a reason, and code can wait for it: the guide's loop sleeps its full 500 ms, but
// this loop wakes at once. You choose no memory ordering, because signal handlers run on the same thread. A CPU-bound
// loop would block the handler. Such a loop needs an occasional `await checkpoint(shutdown)`.
//
// Run it, and press Ctrl-C. SIGTERM has the same effect. SIGKILL cannot be caught: the program prints nothing more.

import { CancellationToken } from '@quiesce/cancellation-token';
import { select, sleep } from '@quiesce/select';

const shutdown = new CancellationToken({ name: 'shutdown' });

// `once`: a second Ctrl-C finds no handler and kills the process.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    console.log(`received ${signal}, initiating graceful shutdown`);
    shutdown.cancel(signal);
  });
}

console.log('server running, press Ctrl-C to stop');

let iterations = 0;
while (!shutdown.isCancelled) {
  iterations++;
  console.log(`processing iteration ${iterations}`);
  await select({ shutdown, pause: sleep(500) });
}

console.log(`shutdown complete after ${iterations} iterations, because of ${shutdown.reason}`);

// Output, with Ctrl-C during the second iteration:
//   server running, press Ctrl-C to stop
//   processing iteration 1
//   processing iteration 2
//   received SIGINT, initiating graceful shutdown
//   shutdown complete after 2 iterations, because of SIGINT
