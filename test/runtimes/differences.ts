// Where a runtime does something else than Node and our tests say what Node does. Each has its reason here and is told in
// docs/runtimes.md. A test that is listed is run all the same: when it passes, its line has to go.
import type { Result } from './reporter.ts';

/** Tests that fail on some runtimes for a reason that we know. */
interface Difference {
  /** The ids of the runtimes. */
  on: readonly string[];
  /** From the root of the clone. */
  file: string;
  /** The name of the test begins with this. */
  name: string;
  /** What the error says, where another one would be a mistake of ours. */
  error?: RegExp;
  why: string;
  /** It depends on chance whether they fail: passing is no reason to take the line out. */
  sometimes?: true;
}

export const differences: readonly Difference[] = [
  {
    on: ['page', 'worker'],
    file: 'packages/cancellation-token/test/clock.test.ts',
    name: 'a timer of the system clock > holds the process',
    why: 'a timer holds nothing where there is no process',
  },
  {
    on: ['bun', 'workerd'],
    file: 'packages/cancellation-token/test/signal.test.ts',
    name: 'fetch rejects with the default reason',
    why: 'fetch of a data: URL does not look at its signal',
  },
  {
    on: ['bun', 'deno'],
    file: 'packages/cancellation-token/test/signal.test.ts',
    name: 'twenty listeners are no reason',
    error: /expected "emitWarning" to be called once, but got 0 times/,
    why: 'no target warns of many listeners, so there is nothing to tell',
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
    on: ['bun'],
    file: 'packages/worker-pool/test/threads.test.ts',
    name: 'work in a thread > that waits for events is woken by one',
    error: /expected Error: gave up/,
    why: 'an error that is sent to another thread loses its cause',
  },
  {
    on: ['bun'],
    file: 'packages/worker-pool/test/child-process.test.ts',
    name: 'a child process > is still held by its own listeners',
    error: /timed out/,
    why: 'listeners for messages of the parent and an unreferenced channel do not agree on who holds the process',
  },
  {
    on: ['bun'],
    file: 'packages/worker-pool/test/worker-pool.test.ts',
    name: 'a job > holds the process until its time limit',
    error: /expected \+0 to be 1/,
    why: 'process.getActiveResourcesInfo tells of nothing',
  },
  {
    on: ['bun'],
    file: 'packages/select/test/kinds.leak.ts',
    name: 'Promise.race on any of them does leak',
    error: /to be greater than/,
    why: 'what Promise.race leaks is less than in V8, of which the test says how much it is at least',
  },
  {
    on: ['bun'],
    file: 'packages/shutdown/test/guard.leak.ts',
    name: 'a guard that is collected undisposed is named, with its place',
    why: 'JavaScriptCore drops the frames of tail calls, and with them some spawn sites',
  },
  ...['a stack that overflows inside of cancel', '(outside of its tests)'].map(
    (name): Difference => ({
      on: ['bun'],
      file: 'packages/cancellation-token/test/hostile.test.ts',
      name,
      error: /prev\.next = next|Maximum call stack/,
      why: 'code that JavaScriptCore has optimised meanwhile needs more of the stack than we ask for',
      sometimes: true,
    }),
  ),
  {
    on: ['workerd'],
    file: 'packages/cancellation-token/test/clones.test.ts',
    name: 'a reason survives the way to a worker',
    why: 'structuredClone keeps every property of an error, so that it is still known for a cancellation',
  },
  ...[
    ['packages/cancellation-token/test/tree.leak.ts', 'a registration that is held does not keep its callback'],
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
  ...['serves more queries', 'lets a query that is under way end', 'behind a pool of workers'].map(
    (name): Difference => ({
      on: ['deno'],
      file: 'packages/worker-pool/test/postgres.test.ts',
      name: `a pool of PostgreSQL connections > ${name}`,
      why: 'the driver tells of the end of a connection after it has fulfilled the promise for it',
    }),
  ),
  ...['events.once > rejects', 'events.on > rejects', 'events.on gives what had come'].map(
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
];

/** Returns what a result counts as: a test that fails by a known difference is skipped, and one that no longer does fails. */
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
