// The guide, chapter 9, "Panic During Drop": a cleanup fails while a failure is already under way.
//
// Rust aborts the program there, and nothing else is cleaned up; hence its rule, never to panic in `drop`. Here both errors
// are kept and the other cleanups run. The guide's better pattern, to log and go on, is what shutdown hooks do anyway.

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

// Where its failure is no failure of the whole: log it, and go on.
await scope((s) => {
  s.defer(() => {
    try {
      cleanUp();
    } catch (error) {
      console.log(`warning: ${(error as Error).message}`);
    }
  });
});

// Hooks at the end of a program: each one is tried, what failed is named, and the exit code says so. The slowest comes first
// in the report; with a clock that stands still none is.
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
