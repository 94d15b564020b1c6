/** Which files are the tests of what packages do: they run under vitest, and on every runtime (`npm run runtimes`). */
export const suites: Record<'unit' | 'conformance' | 'leak', string[]> = {
  unit: ['packages/*/test/**/*.test.ts'],
  conformance: ['test/conformance/**/*.test.ts'],
  leak: ['packages/*/test/**/*.leak.ts', 'test/leak/**/*.leak.ts'],
};
