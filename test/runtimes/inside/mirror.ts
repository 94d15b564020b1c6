// vitest's browser mode runs test files in a page. This module runs one in a Web Worker, and repeats the results as tests of the page.
import { describe, test } from 'vitest';

/** The result of one test of the worker. */
export interface Mirrored {
  suites: string[];
  name: string;
  errors: { name?: string; message: string; stack?: string }[];
  /** Why the test was skipped, or `undefined` when it ran. */
  note?: string;
}

export interface Outcome {
  tests: Mirrored[];
  /** Errors outside of tests. */
  uncaught: Mirrored['errors'];
}

/** The input of worker.ts. */
export interface Order {
  file: string;
  config: object;
}

/** @param file the URL of a test file that the worker imports */
export async function runInWorker(file: string): Promise<void> {
  const { config } = (globalThis as unknown as { __vitest_worker__: { config: object } }).__vitest_worker__;
  const code = `import ${JSON.stringify(new URL('worker.ts', import.meta.url).href)};`;
  const worker = new Worker(URL.createObjectURL(new Blob([code], { type: 'text/javascript' })), { type: 'module' });
  const outcome = await new Promise<Outcome>((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data as Outcome);
    worker.onerror = ({ message }) => reject(new Error(`the worker failed: ${message}`));
    worker.postMessage({ file, config: JSON.parse(JSON.stringify(config)) } satisfies Order);
  });
  worker.terminate();
  for (const { suites, name, errors, note } of outcome.tests) {
    const declare = suites.reduceRight(
      (inner, suite) => () => void describe(suite, inner),
      () =>
        void test(name, ({ skip }) => {
          if (note !== undefined) skip(note);
          if (errors.length > 0) throw errorOf(errors);
        }),
    );
    declare();
  }
  // vitest reports these as errors outside of tests.
  for (const error of outcome.uncaught) void Promise.reject(errorOf([error]));
}

function errorOf([first, ...others]: Mirrored['errors']): Error {
  return Object.assign(new Error(), first, { errors: others });
}
