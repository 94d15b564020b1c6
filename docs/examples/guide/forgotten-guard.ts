// The guide, chapter 9, "mem::forget and Leak Amplification": a resource whose cleanup never runs.
//
// JavaScript needs no `mem::forget`: it is enough to omit `using`. With `leakDetection`, the shutdown reports a guard
// that was garbage-collected undisposed, with its call site, and stops waiting for it. Use it to find mistakes, because
// the time of the collection is not defined. The guide's `ManuallyDrop` is a guard that you dispose yourself, which is
// no mistake.
//
// Run it with --expose-gc, so that the program can start a collection.

import { setImmediate as immediate } from 'node:timers/promises';
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
console.log(`before the collection: ${shutdown.progress.inFlightCount} in flight`);

while (shutdown.progress.inFlightCount > 0) {
  await immediate(); // a value may stay reachable until the next iteration of the event loop
  collect();
}
console.log(`after the collection: ${shutdown.progress.inFlightCount} in flight`);

shutdown.request();
for (const { name, site } of (await shutdown.stopped()).leaks) {
  console.log(`never disposed: ${name}, made at ${site?.replace(/\(.*\//, '(')}`); // without the path
}

// Output:
//   before the collection: 1 in flight
//   after the collection: 0 in flight
//   never disposed: important resource, made at forget (forgotten-guard.ts:19:12)
