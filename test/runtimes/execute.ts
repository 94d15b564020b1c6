// Runs all files on one runtime and adds up what came of them.
import { availableParallelism } from 'node:os';
import { bundleOf } from './bundle.ts';
import { expected } from './differences.ts';
import type { TestFile } from './files.ts';
import type { Outcome, Result } from './inside/main.ts';
import { Memory } from './memory.ts';
import type { Runtime, Session } from './runtimes.ts';

/** What a test did, with the file that it is from. */
export type Judged = Result & { file: string };

/** What became of a runtime. */
export interface Row {
  id: string;
  name: string;
  version: string;
  /** Whether `using` is the runtime's own. */
  using: 'native' | 'lowered';
  tests: Judged[];
  /** In milliseconds. */
  took: number;
  /** Why nothing ran at all. */
  broken?: string;
}

/** In ms. A machine may be busy: what ends a test is its own assertions. */
const timeout = 180_000;

const environment: Record<string, string> = process.env['TOKIO_TRACES']
  ? { TOKIO_TRACES: process.env['TOKIO_TRACES'] }
  : {};

/** How files are run. */
export interface Running {
  files: readonly TestFile[];
  /** The tests of a file, from a runtime that can load it. */
  namesIn: (file: TestFile) => Promise<string[]>;
  /** Takes from the last run what has not changed and did not fail. */
  changedOnly: boolean;
  /** Called with each test that fails. */
  say: (text: string) => void;
}

export async function execute(runtime: Runtime, running: Running): Promise<Row> {
  const begin = performance.now();
  const { id, name, kind } = runtime;
  const using = kind.target === 'esnext' ? 'native' : 'lowered';
  let session: Session;
  try {
    session = await runtime.open();
  } catch (error) {
    return {
      id,
      name,
      version: '',
      using,
      tests: [],
      took: 0,
      broken: error instanceof Error ? error.message : String(error),
    };
  }
  const tests: Judged[] = [];
  const memory = new Memory(id, session.version);
  const run = async (file: TestFile): Promise<void> => {
    const judged = await runFile(runtime, session, file, memory, running);
    tests.push(...judged);
    for (const { name, why } of judged.filter(failed)) {
      running.say(`  ${file.path} > ${name}\n    ${why?.replaceAll('\n', '\n    ')}`);
    }
  };
  try {
    // What measures memory does not share the processors.
    const together = running.files.filter(({ suite }) => suite !== 'leak');
    const lanes = Math.min(2, availableParallelism());
    await Promise.all(Array.from({ length: lanes }, () => inTurn(together, run)));
    const alone = running.files.filter(({ suite }) => suite === 'leak');
    await inTurn(alone, run);
  } finally {
    await session.close();
  }
  return { id, name, version: session.version, using, tests, took: performance.now() - begin };
}

function failed({ state }: Result): boolean {
  return state === 'failed';
}

/** Several of these share one queue. */
async function inTurn(queue: TestFile[], run: (file: TestFile) => Promise<void>): Promise<void> {
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) await run(next);
}

async function runFile(
  { id, kind }: Runtime,
  session: Session,
  file: TestFile,
  memory: Memory,
  { namesIn, changedOnly }: Running,
): Promise<Judged[]> {
  const bundle = bundleOf(kind, file);
  const judge = async (outcome: Outcome): Promise<Judged[]> =>
    (await completed(outcome, file, namesIn)).map((result) => ({
      ...expected(id, file.path, result),
      file: file.path,
    }));
  const before = changedOnly ? memory.recall(file.path, bundle) : undefined;
  const known = before === undefined ? [] : await judge(before);
  if (known.length > 0 && !known.some(failed)) return known;
  const outcome = await session.run(bundle, file, { timeout, environment });
  memory.keep(file.path, bundle, outcome);
  return judge(outcome);
}

/**
 * Adds a failure where a file has not as many tests on a runtime as on the first one: what is not declared there is neither
 * skipped nor counted.
 */
export function holdToFirst([first, ...others]: readonly Row[]): void {
  if (first === undefined) return;
  const wanted = testsByFile(first);
  for (const row of others) {
    const counted = testsByFile(row);
    for (const file of new Set([...wanted.keys(), ...counted.keys()])) {
      const [has, had] = [counted.get(file) ?? 0, wanted.get(file) ?? 0];
      if (has === had) continue;
      const why = `it has ${has} tests here and ${had} on ${first.name}`;
      row.tests.push({ file, name: '(the file)', state: 'failed', why });
    }
  }
}

function testsByFile({ tests }: Row): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { file, name } of tests) {
    if (!/^\(.*\)$/.test(name)) counts.set(file, (counts.get(file) ?? 0) + 1);
  }
  return counts;
}

/** Errors outside of tests are failures, and a file that cannot be loaded here names every test that it has. */
async function completed(
  { results, errors, missing }: Outcome,
  file: TestFile,
  namesIn: (file: TestFile) => Promise<string[]>,
): Promise<Result[]> {
  if (missing !== undefined) {
    const names = await namesIn(file);
    if (names.length === 0)
      return [{ name: '(the file)', state: 'failed', why: 'nobody could say which tests it has' }];
    return names.map((name) => ({ name, state: 'skipped', why: `needs ${missing}` }));
  }
  const outside = errors.map((why): Result => ({ name: '(outside of its tests)', state: 'failed', why }));
  if (results.length === 0 && outside.length === 0) {
    outside.push({ name: '(the file)', state: 'failed', why: 'it has no tests' });
  }
  return [...results, ...outside];
}
