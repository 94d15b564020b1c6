import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { suites } from './suites.ts';

const root = new URL('..', import.meta.url).pathname;

// QUIESCE_BUILT=1 runs the same tests against `dist`: Node itself loads what was built, Vite does not touch it.
const built = process.env['QUIESCE_BUILT'] === '1';
const condition = built ? ['--conditions=built'] : [];

/** Order matters between groups only: what measures memory, or starts processes, does not share the processors with the rest. */
const project = (name: string, order: number, include: string[], more: object = {}) => ({
  extends: true as const,
  test: { name, include, execArgv: condition, sequence: { groupOrder: order }, ...more },
});

const effect40 = [{ find: /^effect(?=$|\/)/, replacement: 'effect-4-0' }];

export default defineConfig({
  root,
  // Node 20 does not know `using`: the target turns it into try and finally.
  oxc: { target: 'es2022' },
  ssr: { resolve: { conditions: [...(built ? ['built'] : []), 'module', 'node', 'development'] } },
  test: {
    environment: 'node',
    // Only what hangs takes so long: no test is decided by how busy the machine is.
    testTimeout: 60_000,
    pool: 'forks',
    // vitest would leave one processor idle: of two that is half of the machine.
    maxWorkers: availableParallelism(),
    server: { deps: { external: [/\/packages\/[^/]+\/dist\//] } },
    reporters: ['default', 'json'],
    outputFile: { json: process.env['QUIESCE_REPORT'] ?? 'test/.output/report.json' },
    passWithNoTests: false,
    projects: [
      project('unit', 0, suites.unit),
      // The peer's oldest version that we take: the same tests. Node, which loads what was built, knows no such alias.
      ...(built ? [] : [project('effect-4.0', 0, ['packages/effect/test/**/*.test.ts'], { alias: effect40 })]),
      project('docs', 0, ['test/docs/**/*.test.ts', 'test/runtimes/**/*.test.ts']),
      project('types', 0, ['test/types/**/*.test.ts']),
      project('conformance', 1, suites.conformance),
      project('package', 1, ['test/package/**/*.test.ts'], {
        testTimeout: 120_000,
        hookTimeout: 120_000,
        globalSetup: 'test/package/pack.ts',
      }),
      project('leak', 2, suites.leak, {
        // Each file has a process of its own, and bytes do not depend on who else computes.
        execArgv: [...condition, '--expose-gc'],
        testTimeout: 120_000,
      }),
      // One file at a time; tests of one whose processes have nothing to do with one another, so many.
      project('e2e', 3, ['test/e2e/**/*.test.ts'], { fileParallelism: false, maxConcurrency: 3 }),
    ],
  },
});
