/**
 * Which files are the tests of what packages do, here and on every other runtime (`npm run runtimes`). The suffix marks a test where
 * it stands: `.slow.test.ts` needs millions of objects or starts many processes, and runs in `npm run test:all`; `.leak.ts` measures
 * memory in a process of its own.
 */
export const suites: Record<'unit' | 'conformance' | 'leak', string[]> = {
  unit: ['packages/*/test/**/*.test.ts'],
  conformance: ['test/conformance/**/*.test.ts'],
  leak: ['packages/*/test/**/*.leak.ts', 'test/leak/**/*.leak.ts'],
};
