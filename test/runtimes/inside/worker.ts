// Runs one test file in a Web Worker with vitest's own runner.
import { type File, type Suite, startTests, type Test, type VitestRunner } from '@vitest/runner';
import { getTests } from '@vitest/runner/utils';
import { isObserved } from './host.ts';
import type { Mirrored, Order, Outcome } from './mirror.ts';

type Errors = Mirrored['errors'];

// vitest prepares these globals in a page, before it imports anything.
const state = globalThis as unknown as Record<string, unknown>;
const wrap = (load: () => unknown): unknown => load();
state['__vitest_browser_runner__'] = { wrapModule: wrap, wrapDynamicImport: wrap };

const uncaught: Errors = [];
for (const type of ['error', 'unhandledrejection']) {
  globalThis.addEventListener(type, (event) => {
    const { error, reason } = event as Event & { error?: Error; reason?: Error };
    if (!isObserved(type)) uncaught.push(plain(error ?? reason));
    event.preventDefault();
  });
}

function plain(error: Partial<Error> | undefined): Errors[number] {
  return { name: error?.name ?? 'Error', message: String(error?.message ?? error), stack: error?.stack ?? '' };
}

/** A suite's hook that fails leaves the suite's tests without a result of their own. */
function errorsOf(task: Test | Suite | File): Errors {
  const own = (task.result?.errors ?? []).map(plain);
  const above = task.suite ?? (task.file === task ? undefined : task.file);
  return own.length > 0 || above === undefined ? own : errorsOf(above);
}

function mirrored(task: Test): Mirrored {
  const suites: string[] = [];
  for (let above = task.suite; above !== undefined; above = above.suite) suites.unshift(above.name);
  const errors = errorsOf(task);
  const why =
    task.meta.needs ?? (errors.length > 0 || task.result?.state === 'pass' ? undefined : 'the test skips itself here');
  return { suites, name: task.name, errors, ...(why === undefined ? {} : { note: why }) };
}

async function run({ file, config }: Order): Promise<Outcome> {
  const onCleanup = (): void => {};
  const environment = { name: 'browser' };
  state['__vitest_worker__'] = { ctx: { pool: 'browser' }, config, environment, onCleanup, metaEnv: {}, rpc: {} };
  const runner = { config, importFile: (path: string) => import(/* @vite-ignore */ path) } as VitestRunner;
  const [ran] = await startTests([file], runner);
  // Uncaught rejections of the last test are reported some iterations of the event loop later.
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => void setTimeout(resolve, 0));
  const tests = ran === undefined ? [] : getTests(ran).map(mirrored);
  if (tests.length === 0) uncaught.push(...(ran?.result?.errors ?? []).map(plain));
  return { tests, uncaught };
}

globalThis.onmessage = ({ data }: MessageEvent<Order>) => {
  run(data).then(
    (outcome) => postMessage(outcome),
    (error) => postMessage({ tests: [], uncaught: [plain(error)] } satisfies Outcome),
  );
};
