// The guide, chapter 4, "Basic Signal Handling": Ctrl-C sets a flag, the main loop asks it, and ends in good order.
//
// The flag is a token. It also says why, and it can be waited for: the guide's loop sleeps its 500 ms to the end, this one
// wakes at once. No ordering has to be chosen: signal handlers run in the same thread. A loop that computes and never waits
// would let no handler run at all; there, `await checkpoint(shutdown)` now and then.
//
// Run it, press Ctrl-C. SIGTERM does the same; SIGKILL cannot be caught: nothing more is printed.

import { CancellationToken } from '@quiesce/cancellation-token';
import { select, sleep } from '@quiesce/select';

const shutdown = new CancellationToken({ name: 'shutdown' });

// `once`: a second Ctrl-C finds no handler, and ends the process the hard way.
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
