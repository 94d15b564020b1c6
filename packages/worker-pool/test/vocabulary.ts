import { fileURLToPath } from 'node:url';
import { setUncaughtHandler } from '@quiesce/cancellation-token';
import { buildSync } from 'esbuild';
import { onTestFinished } from 'vitest';

/** Work that a test settles. */
export interface Work<T> {
  run: () => Promise<T>;
  fulfil(value: T): void;
  fail(error: unknown): void;
}

/** Makes work that ignores every token until the test settles it. */
export function uncancellable<T = void>(): Work<T> {
  let fulfil: (value: T) => void = () => {};
  let fail: (error: unknown) => void = () => {};
  const promise = new Promise<T>((resolve, reject) => {
    fulfil = resolve;
    fail = reject;
  });
  promise.catch(() => {});
  return { run: () => promise, fulfil, fail };
}

/** Waits until everything that can run without time passing has run. */
export function macrotask(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Returns the rejection reason of a promise. */
export function rejection(promise: PromiseLike<unknown>): Promise<unknown> {
  return Promise.resolve(promise).then(
    (value) => {
      throw new Error(`it fulfilled with ${String(value)}`);
    },
    (error) => error,
  );
}

/** Collects uncaught errors until the end of the test. */
export function uncaught(): unknown[] {
  const errors: unknown[] = [];
  const before = setUncaughtHandler((error) => errors.push(error));
  onTestFinished(() => void setUncaughtHandler(before));
  return errors;
}

/** Bundles a file of `fixtures` for threads and processes to load: Node 20 reads no TypeScript. */
export function fixture(name: string): string {
  const outfile = fileURLToPath(new URL(`../../../test/.output/worker-pool/${name}.mjs`, import.meta.url));
  buildSync({
    entryPoints: [fileURLToPath(new URL(`fixtures/${name}.ts`, import.meta.url))],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'es2022',
    conditions: process.env['QUIESCE_BUILT'] === '1' ? ['built'] : [],
  });
  return outfile;
}
