// Runs one file of tests inside of a runtime, and says what became of each test.
import { type File, type Suite, startTests, type Test, type VitestRunner } from '@vitest/runner';
import { host, setEnvironment } from './host.ts';
import { MissingError, missing, setOwner, touch, touchedAtLoad, touchedBy } from './missing.ts';
import { config } from './vi.ts';

/** What became of one test. */
export interface Result {
  /** The names of its suites and its own. */
  name: string;
  state: 'passed' | 'failed' | 'skipped';
  /** The error, or the reason for skipping. */
  why?: string;
}

/** What became of a file. */
export interface Outcome {
  results: Result[];
  /** Errors outside of all tests: uncaught ones, and one that kept the file from loading. */
  errors: string[];
  /** What kept the file from loading and is not there in this runtime: none of its tests can run. */
  missing?: string;
}

/** How a file is run. */
export interface Options {
  /** For one test, in ms. */
  timeout: number;
  /** Collects the tests without running them. */
  listOnly?: boolean;
  /** What `process.env` holds where there is no process. */
  environment?: Readonly<Record<string, string>>;
}

/**
 * @param file the path of the test file, for messages
 * @param load imports the file, which declares its tests
 */
export async function run(
  file: string,
  load: () => Promise<unknown>,
  { timeout, listOnly = false, environment = {} }: Options,
): Promise<Outcome> {
  const outcome: Outcome = { results: [], errors: [] };
  setEnvironment(environment);
  const globals = globalThis as { gc?: () => void; SharedArrayBuffer?: unknown };
  globals.gc ??= () => touch('a way to collect garbage on demand');
  globals.SharedArrayBuffer ??= missing('SharedArrayBuffer');
  const release = watchUncaught((error) => outcome.errors.push(describe(error)));
  Object.assign(config, { testTimeout: timeout, hookTimeout: timeout });
  const [ran] = await startTests([file], new Runner(load, listOnly));
  if (ran === undefined) throw new Error(`${file} was not run`);
  const broken = ran.result?.errors ?? [];
  const atLoad = [...touchedAtLoad()].sort().join(' and ');
  // Whatever else keeps a file from loading is an error, also where something was missed before.
  const isMissing = broken.length > 0 && broken.every(({ name }) => name === 'MissingError');
  if (isMissing && atLoad !== '') outcome.missing = atLoad;
  else if (touchedBy(ran).size === 0) outcome.errors.push(...broken.map(describe));
  collect(ran, ran.result?.state === 'fail' ? 'its file failed' : undefined, outcome.results);
  await settled();
  for (const event of release()) {
    outcome.errors.push(`a listener for ${event} was left behind: whatever nobody caught then was not seen`);
  }
  return outcome;
}

/** Before a test fakes them. */
const later = globalThis.setTimeout;

/** Some turns of the event loop: what the last test has left to nobody is told of after it has ended. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => void later(resolve, 0));
}

/**
 * What nobody catches fails the file, unless a test listens for it.
 *
 * @returns ends that; says for which events a test still listens
 */
function watchUncaught(note: (error: unknown) => void): () => string[] {
  const releases = (['uncaughtException', 'unhandledRejection'] as const).map((event) => {
    const listeners = (): unknown[] => host.listeners(event as 'uncaughtException');
    const before = listeners();
    const listener = (error: unknown): void => {
      // It has been noted, and skips its test.
      if (error instanceof MissingError) return;
      if (!listeners().some(isOfTest)) note(error);
    };
    const isOfTest = (one: unknown): boolean => one !== listener && !before.includes(one);
    host.on(event, listener);
    return () => {
      host.off(event, listener);
      return listeners().some(isOfTest) ? [event] : [];
    };
  });
  return () => releases.flatMap((release) => release());
}

class Runner implements VitestRunner {
  readonly config: VitestRunner['config'] = Object.assign(config, {
    root: '/',
    setupFiles: [],
    name: undefined,
    passWithNoTests: false,
    testNamePattern: undefined,
    allowOnly: false,
    sequence: { seed: 1, hooks: 'stack' as const, setupFiles: 'list' as const },
    chaiConfig: undefined,
    maxConcurrency: 1,
    retry: 0,
    includeTaskLocation: false,
    tags: [],
    tagsFilter: undefined,
    strictTags: false,
  });
  readonly #load: () => Promise<unknown>;
  readonly #listOnly: boolean;

  constructor(load: () => Promise<unknown>, listOnly: boolean) {
    this.#load = load;
    this.#listOnly = listOnly;
  }

  async importFile(): Promise<void> {
    await this.#load();
  }

  onCollected(files: File[]): void {
    for (const file of files) {
      if (this.#listOnly) skipAll(file);
      noteLeftOut(file);
    }
  }

  onBeforeRunSuite(suite: Suite): void {
    setOwner(suite);
  }

  onAfterRunSuite(suite: Suite): void {
    setOwner(suite.suite ?? suite.file);
  }

  onBeforeRunTask(test: Test): void {
    setOwner(test);
  }

  onAfterRunTask(test: Test): void {
    setOwner(test.suite ?? test.file);
  }
}

/** Tests that were not to run. The runner also marks those so that did not come to run. */
const leftOut = new WeakSet<Test>();

function noteLeftOut(suite: Suite): void {
  for (const task of suite.tasks) {
    if (task.type === 'suite') noteLeftOut(task);
    else if (task.mode === 'skip' || task.mode === 'todo') leftOut.add(task);
  }
}

function skipAll(suite: Suite): void {
  suite.mode = 'skip';
  for (const task of suite.tasks) {
    if (task.type === 'suite') skipAll(task);
    else task.mode = 'skip';
  }
}

/** Every test below a suite. Nothing may be left out in silence: a test that did not run although it should have has failed. */
function collect(suite: Suite, broken: string | undefined, results: Result[]): void {
  for (const task of suite.tasks) {
    if (task.type === 'suite') {
      const cause = task.result?.errors?.map(describe).join('\n') || broken;
      collect(task, cause, results);
    } else results.push(resultOf(task, broken));
  }
}

function resultOf(test: Test, broken: string | undefined): Result {
  const name = test.fullTestName;
  const needs = new Set(touchedBy(test));
  for (
    let above: Suite | undefined = test.suite ?? test.file;
    above !== undefined;
    above = above.suite ?? fileOf(above)
  ) {
    for (const what of touchedBy(above)) needs.add(what);
  }
  if (needs.size > 0) return { name, state: 'skipped', why: `needs ${[...needs].sort().join(' and ')}` };
  const state = test.result?.state;
  if (state === 'pass') return { name, state: 'passed' };
  if (state === 'fail') return { name, state: 'failed', why: test.result?.errors?.map(describe).join('\n') ?? '' };
  // `context.skip(note)` leaves it there.
  const note = (test.result as { note?: string } | undefined)?.note;
  if (leftOut.has(test) || note !== undefined)
    return { name, state: 'skipped', why: note ?? 'the test skips itself here' };
  return { name, state: 'failed', why: broken ?? 'it did not run' };
}

function fileOf(suite: Suite): Suite | undefined {
  return suite.file === suite ? undefined : suite.file;
}

function describe(error: unknown): string {
  if (typeof error !== 'object' || error === null) return String(error);
  const { name, message, stack } = error as Partial<Error>;
  const head = `${name ?? 'Error'}: ${message ?? ''}`;
  const frames = (stack ?? '').split('\n').filter((line) => /^\s+at |@/.test(line));
  return [head, ...frames.slice(0, 6)].join('\n');
}
