/**
 * The files that test the packages, on Node and on every other runtime (`npm run runtimes`). The suffix of a file decides how it
 * runs. A `.slow.test.ts` needs millions of objects, or processes of its own, and runs in `npm run test:all`. A `.leak.ts`
 * measures memory in a process of its own.
 */
export const suites: Record<'unit' | 'conformance' | 'leak', string[]> = {
  unit: ['packages/*/test/**/*.test.ts'],
  conformance: ['test/conformance/**/*.test.ts'],
  leak: ['packages/*/test/**/*.leak.ts', 'test/leak/**/*.leak.ts'],
};
