// Known differences between runtimes and Node, each with its reason. docs/runtimes.md explains them.
// A listed test still runs on the runtime. When it passes, its entry has to go.
import type { Result } from './reporter.ts';

/** Tests that fail on some runtimes for a known reason. */
interface Difference {
  /** The ids of the runtimes. */
  on: readonly string[];
  /** From the root of the clone. */
  file: string;
  /** The start of the test's name. */
  name: string;
  /** The expected error. Any other error is a mistake of this project. */
  error?: RegExp;
  why: string;
  /** Whether the failure depends on chance. A test that passes is no reason to remove the entry then. */
  sometimes?: true;
}

export const differences: readonly Difference[] = [
  {
    on: ['page', 'worker'],
    file: 'packages/cancellation-token/test/clock.test.ts',
    name: 'a timer of the system clock > keeps the process alive',
    why: 'a timer cannot hold a process where there is none',
  },
  {
    on: ['bun', 'workerd'],
    file: 'packages/cancellation-token/test/signal.test.ts',
    name: 'fetch rejects with the default reason',
    why: 'fetch of a data: URL ignores its signal',
  },
  {
    on: ['bun', 'deno'],
    file: 'packages/cancellation-token/test/signal.test.ts',
    name: 'twenty listeners cause no warning',
    error: /expected "emitWarning" to be called once, but got 0 times/,
    why: 'no target warns of many listeners',
  },
  {
    on: ['bun'],
    file: 'packages/scope/test/tree.test.ts',
    name: 'spawn sites > of the items of a map',
    why: 'JavaScriptCore drops the frames of tail calls, and with them some spawn sites',
  },
  {
    on: ['bun'],
    file: 'packages/scope/test/tree.test.ts',
    name: 'tree > shows where a task was spawned',
    why: 'JavaScriptCore drops the frames of tail calls, and with them some spawn sites',
  },
  {
    on: ['bun'],
    file: 'packages/scope/test/alive.leak.ts',
    name: 'a task without a name costs the same',
    why: 'heapUsed is too coarse for a few bytes a task',
    sometimes: true,
  },
  {
    on: ['bun', 'deno'],
    file: 'packages/fleet/test/retention.leak.ts',
    name: 'a fleet that lives long retains nothing > of cancels that have expired',
    why: 'heapUsed is too coarse for a few bytes a cancel',
    sometimes: true,
  },
  {
    on: ['bun'],
    file: 'packages/fleet/test/guide.slow.test.ts',
    name: 'programs of the guide > the service cancels a report',
    error: /the service has ended/,
    why: 'needs HTTP servers that are built on node:net, as @quiesce/http-drain does',
  },
  {
    on: ['bun'],
    file: 'packages/adapters/test/pg-guide.slow.test.ts',
    name: 'programs of the documentation > the service cancels the query',
    error: /timed out/,
    why: 'needs HTTP servers that are built on node:net, as @quiesce/http-drain does',
  },
  ...['rejects with the reason (', 'rejects at the deadline of the token'].map(
    (name): Difference => ({
      on: ['deno'],
      file: 'packages/adapters/test/fetch.test.ts',
      name: `fetchWith with the fetch of undici > ${name}`,
      error: /timed out/,
      why: 'the body of the fetch of the package undici does not end when its signal is aborted',
      // The same name also covers the cancellation before the response, which ends.
      sometimes: true,
    }),
  ),
  {
    on: ['bun'],
    file: 'packages/worker-pool/test/retention.leak.ts',
    name: 'a long-lived token and a worker retain nothing',
    error: /it was closed/,
    why: 'a message port without a reference is collected, although it has listeners',
  },
  {
    on: ['bun'],
    file: 'packages/worker-pool/test/retention.leak.ts',
    name: 'a forgotten lease is reported',
    why: 'a collection on demand may leave an object that has just become unreachable',
    sometimes: true,
  },
  {
    on: ['bun'],
    file: 'packages/worker-pool/test/threads.test.ts',
    name: 'work in a thread > is woken by an event',
    error: /expected Error: gave up/,
    why: 'an error that is sent to another thread loses its cause',
  },
  {
    on: ['deno', 'page', 'worker'],
    file: 'packages/worker-pool/test/web.test.ts',
    name: 'a worker that dies > rejects its calls when it closes itself',
    error: /timed out/,
    why: 'no event tells the owner of a worker that it closed itself',
  },
  {
    on: ['bun'],
    file: 'packages/worker-pool/test/child-process.test.ts',
    name: 'a child process > is still held by its own message listeners',
    error: /timed out/,
    why: 'message listeners do not hold the process when the channel to the parent is unreferenced',
  },
  {
    on: ['bun'],
    file: 'packages/worker-pool/test/worker-pool.test.ts',
    name: 'a job > holds the process until its time limit',
    error: /expected \+0 to be 1/,
    why: 'process.getActiveResourcesInfo returns nothing',
  },
  {
    on: ['bun'],
    file: 'packages/select/test/kinds.leak.ts',
    name: 'Promise.race on any of them does leak',
    error: /to be greater than/,
    why: 'Promise.race leaks less than in V8, where the test has its lower bound from',
  },
  {
    on: ['bun'],
    file: 'packages/shutdown/test/guard.leak.ts',
    name: 'a guard that is collected undisposed is named, with its place',
    why: 'JavaScriptCore drops the frames of tail calls, and with them some spawn sites',
  },
  ...['a stack that overflows inside `cancel`', '(outside of its tests)'].map(
    (name): Difference => ({
      on: ['bun'],
      file: 'packages/cancellation-token/test/hostile.test.ts',
      name,
      error: /prev\.next = next|Maximum call stack/,
      why: 'code that JavaScriptCore has optimised needs more of the stack than is reserved',
      sometimes: true,
    }),
  ),
  {
    on: ['workerd'],
    file: 'packages/cancellation-token/test/clones.test.ts',
    name: 'a reason reaches a worker',
    why: 'structuredClone keeps every property of an error, so it is still recognised as a cancellation',
  },
  ...[
    ['packages/cancellation-token/test/tree.leak.ts', 'a referenced registration does not retain its callback'],
    ['packages/channel/test/retention.leak.ts', 'a channel that lives long keeps nothing'],
    ['packages/channel/test/retention.leak.ts', 'a watch that lives long keeps nothing'],
    ['packages/select/test/retention.leak.ts', 'when a select is over'],
  ].map(
    ([file = '', name = '']): Difference => ({
      on: ['bun'],
      file,
      name,
      why: 'JavaScriptCore reads the stack conservatively: a few of many objects outlive a collection',
      sometimes: true,
    }),
  ),
  {
    on: ['worker'],
    file: 'packages/cancellation-token/test/linked.leak.ts',
    name: 'children that were ',
    error: /expected \[ \d, true \]/,
    why: 'Chromium reads the stack conservatively for its own objects: a few of many signals outlive a collection',
    sometimes: true,
  },
  ...['serves more queries', 'lets a running query finish', 'keeps each acknowledged job exactly once'].map(
    (name): Difference => ({
      on: ['deno'],
      file: 'packages/worker-pool/test/postgres.test.ts',
      name: `a pool of PostgreSQL connections > ${name}`,
      why: 'the driver emits the end of a connection after it has fulfilled the promise of the end',
    }),
  ),
  ...['events.once > rejects', 'events.on > rejects', 'events.on gives the events before'].map(
    (name): Difference => ({
      on: ['deno'],
      file: 'packages/cancellation-token/test/interop-node.test.ts',
      name,
      why: "errors of node:events do not carry the signal's reason as their cause",
    }),
  ),
  {
    on: ['deno'],
    file: 'packages/cancellation-token/test/interop-node.test.ts',
    name: 'fs.readFile > rejects',
    why: "node:fs rejects with the signal's reason itself",
  },
  {
    on: ['bun'],
    file: 'packages/broadcast-channel/test/retention.leak.ts',
    name: 'a channel retains nothing of disposed receivers',
    error: /expected \d to be \+0/,
    why: 'JavaScriptCore reads the stack conservatively: a few of many objects outlive a collection',
    sometimes: true,
  },
  ...[
    ['test/conformance/stacks.test.ts', 'the error of '],
    ['packages/select/test/timeout.test.ts', 'the stack of a TimeoutError > of a promise'],
  ].map(
    ([file = '', name = '']): Difference => ({
      on: ['bun'],
      file,
      name,
      error: /whoWaits/,
      why: 'JavaScriptCore drops the frames of tail calls, in some of these tests the function that waits',
      sometimes: true,
    }),
  ),
  ...['runs to its end with no timer set', 'finishes before the next timer fires'].map(
    (name): Difference => ({
      on: ['bun', 'workerd', 'page', 'worker'],
      file: 'packages/cancellation-token/test/virtual-clock.test.ts',
      name: `work that consists of 20 callbacks of setImmediate, each set by the one before > ${name}`,
      why: 'the platform does not list callbacks of setImmediate, so the clock cannot wait for them',
    }),
  ),
  ...['is not a token', 'is refused by every call', 'leaves the original unchanged'].map(
    (name): Difference => ({
      on: ['bun', 'workerd', 'page', 'worker'],
      file: 'packages/cancellation-token/test/clones.test.ts',
      name: `the copy that structuredClone makes of a token whose signal was read > ${name}`,
      why: 'structuredClone refuses an AbortSignal',
    }),
  ),
  {
    on: ['workerd', 'page', 'worker'],
    file: 'packages/scope/test/map.test.ts',
    name: 'map with `stopSignal` > leaves nothing on a stop signal that lives on',
    error: /expected -1 to be/,
    why: 'listeners go to a signal that is derived, so the addEventListener of the test is never called',
  },
  ...['names the call', 'reads the version of a peer whose exports'].map(
    (name): Difference => ({
      on: ['workerd', 'page', 'worker'],
      file: 'packages/adapters/test/check-peer.test.ts',
      name: `\`checkPeer\` ${name}`,
      why: 'without node:module the version of a peer is unknown',
    }),
  ),
  {
    on: ['bun', 'deno', 'workerd', 'page', 'worker'],
    file: 'packages/shutdown/test/fake-process.test.ts',
    name: 'a fake process > is explored',
    error: /this runtime does not show when promises run/,
    why: 'the explorer needs the promise hooks of V8, which Node alone has',
  },
  {
    on: ['workerd'],
    file: 'packages/select/test/sleep.test.ts',
    name: 'a number of milliseconds since 1970 > is refused by',
    error: /expected function to throw/,
    why: 'its clock counts from 1970, so that such a moment is not far away',
  },
  ...(
    [
      ['web.test.ts', 'a port > '],
      ['web.test.ts', 'a call through a port > '],
      ['retention.leak.ts', 'a long-lived token and a worker'],
    ] as const
  ).map(
    ([file, name]): Difference => ({
      on: ['workerd'],
      file: `packages/worker-pool/test/${file}`,
      name,
      error: /Transfer list is not supported|it was closed/,
      why: 'a port cannot be transferred',
      sometimes: true,
    }),
  ),
  {
    on: ['workerd', 'page', 'worker'],
    file: 'packages/broadcast-channel/test/hostile.test.ts',
    name: 'a signal that aborts while a listener is added',
    error: /expected 'pending'/,
    why: 'listeners go to a signal that is derived, so the addEventListener of the test is never called',
  },
  ...['isCancellation > is true for', 'isCancellationOf > is true for'].map(
    (name): Difference => ({
      on: ['workerd', 'page', 'worker'],
      file: 'packages/cancellation-token/test/errors.test.ts',
      name,
      error: /expected false to be true/,
      why: 'without node:vm the test cannot make an error of another realm',
      sometimes: true,
    }),
  ),
];

/** Returns the state of a result: a test that fails by a known difference is skipped, and one that passes in spite of it fails. */
export function judge(id: string, result: Result, known: readonly Difference[] = differences): Result {
  const found = known.find(
    ({ on, file, name }) => on.includes(id) && result.file === file && result.name.startsWith(name),
  );
  if (found === undefined || result.state === 'skipped') return result;
  if (result.state === 'failed') {
    const isKnown = found.error?.test(result.why ?? '') ?? true;
    return isKnown ? { ...result, state: 'skipped', why: found.why } : result;
  }
  if (found.sometimes) return result;
  return {
    ...result,
    state: 'failed',
    why: `it passes, and test/runtimes/differences.ts says that it fails: ${found.why}`,
  };
}
