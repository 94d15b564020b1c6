// Runs before each test file on runtimes without Node's modules.
import { afterAll, aroundEach, beforeAll } from 'vitest';
import { isObserved } from './host.ts';
import { missing, setLoading, touch, used } from './missing.ts';

const globals = globalThis as { gc?: () => void; SharedArrayBuffer?: unknown };
const hasNoGc = globals.gc === undefined;
globals.gc ??= () => touch('a way to collect garbage on demand');
globals.SharedArrayBuffer ??= missing('SharedArrayBuffer');

// The plugin for workerd enables `nodejs_compat`. The packages must work without it: they look for these two.
if (globalThis.navigator?.userAgent === 'Cloudflare-Workers') {
  Reflect.deleteProperty(globalThis, 'setImmediate');
  Object.assign(globalThis.process, { getBuiltinModule: undefined });
}

// vitest calls it when a thread ends, and Deno's version throws.
if ('Deno' in globalThis) {
  const { parentPort } = process.getBuiltinModule('node:worker_threads');
  if (parentPort !== null) parentPort.removeAllListeners = () => parentPort;
}

setLoading(true);
beforeAll(() => setLoading(false));
afterAll(() => {
  setLoading(true);
  // While a listener is there, the test runner does not see uncaught errors.
  const left = ['error', 'unhandledrejection'].filter(isObserved);
  if (left.length > 0) throw new Error(`a test left a listener for ${left.join(' and ')} behind`);
});

/** The reporter reads the reason here: vitest drops the text of `skip` in this hook. */
declare module 'vitest' {
  interface TaskMeta {
    needs?: string;
  }
}

aroundEach(async (runTest, { skip, task }) => {
  const leave = (needs: string): never => {
    task.meta.needs = needs;
    return skip();
  };
  // Every leak test collects garbage, most of them after a long preparation.
  if (hasNoGc && task.file.filepath.endsWith('.leak.ts')) leave('needs a way to collect garbage on demand');
  used.clear();
  await runTest();
  if (used.size > 0) leave(`needs ${[...used].sort().join(' and ')}`);
});
