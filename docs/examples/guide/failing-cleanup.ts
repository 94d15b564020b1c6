// The guide, chapter 9, "Panic During Drop": a cleanup fails after the work has failed.
//
// Rust then aborts the program and runs no other cleanup. So its rule is never to panic in `drop`. Here both errors are
// kept, and the other cleanups run. The guide's better pattern is to log the error and continue. Shutdown hooks always
// do that.

import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { ScopeError, scope } from '@quiesce/scope';
import { Shutdown } from '@quiesce/shutdown';

function cleanUp(): never {
  throw new Error('the cleanup failed as well');
}

try {
  await scope((s) => {
    s.defer(() => console.log('the other cleanup runs'));
    s.defer(cleanUp);
    throw new Error('the work failed');
  });
} catch (error) {
  if (!(error instanceof ScopeError)) throw error;
  for (const { message } of error.errors) console.log(`caught: ${message}`);
}

// If the failure of a cleanup must not fail the scope, log it and continue.
await scope((s) => {
  s.defer(() => {
    try {
      cleanUp();
    } catch (error) {
      console.log(`warning: ${(error as Error).message}`);
    }
  });
});

// Hooks at the end of a program: each one runs, the report names the failed ones, and the exit code is 1. The report lists
// the slowest hook first. Here the clock stands still, so all take 0 ms.
const shutdown = new Shutdown({ clock: new VirtualClock() });
shutdown.hook('database', () => console.log('database closed'));
shutdown.hook('cache', cleanUp);
shutdown.request();
const { hooks, exitCode } = await shutdown.stopped();
for (const { name, outcome } of hooks) console.log(`hook ${name}: ${outcome}`);
console.log(`exit code ${exitCode}`);

// Output:
//   the other cleanup runs
//   caught: the work failed
//   caught: the cleanup failed as well
//   warning: the cleanup failed as well
//   database closed
//   hook database: done
//   hook cache: failed
//   exit code 1
