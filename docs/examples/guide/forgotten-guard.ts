// The guide, chapter 9, "mem::forget and Leak Amplification": a resource whose cleanup never runs.
//
// In JavaScript nobody calls `mem::forget`: leaving out `using` is enough. With `leakDetection` a guard that is collected
// undisposed is named, with the place where it was made, and no longer waited for. That is for finding mistakes: when the
// collector comes is its own affair. The guide's `ManuallyDrop` is a guard that is disposed by hand, which is no mistake.
//
// Run it with --expose-gc, so that the collector comes when asked.

import { setImmediate as turn } from 'node:timers/promises';
import { Shutdown } from '@quiesce/shutdown';

const collect = globalThis.gc;
if (collect === undefined) throw new Error('run it with --expose-gc');

const shutdown = new Shutdown({ leakDetection: true });

function forget(): void {
  shutdown.guard('important resource'); // "using _ =" is missing
}

function useByHand(): void {
  const guard = shutdown.guard('manual resource');
  guard.dispose();
}

forget();
useByHand();
console.log(`before the collection: ${shutdown.progress.inFlight} in flight`);

while (shutdown.progress.inFlight > 0) {
  await turn(); // what a function has held, it may hold until the next turn
  collect();
}
console.log(`after the collection: ${shutdown.progress.inFlight} in flight`);

shutdown.request();
for (const { name, site } of (await shutdown.stopped()).leaks) {
  console.log(`never disposed: ${name}, made at ${site?.replace(/\(.*\//, '(')}`); // without the folder
}

// Output:
//   before the collection: 1 in flight
//   after the collection: 0 in flight
//   never disposed: important resource, made at forget (forgotten-guard.ts:18:12)
