import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { suites } from './suites.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

// QUIESCE_BUILT=1 runs the same tests against `dist`: Node itself loads what was built, Vite does not touch it.
const built = process.env['QUIESCE_BUILT'] === '1';
const condition = built ? ['--conditions=built'] : [];

/** Order matters between groups only: tests that measure memory do not share the processors with others. */
const project = (name: string, order: number, include: string[], more: object = {}) => ({
  extends: true as const,
  test: { name, include, execArgv: condition, sequence: { groupOrder: order }, ...more },
});

const slow = ['**/*.slow.test.ts'];
const effect40 = [{ find: /^effect(?=$|\/)/, replacement: 'effect-4-0' }];

export default defineConfig({
  root,
  // Node 20 does not know `using`: the target turns it into try and finally.
  oxc: { target: 'es2022' },
  ssr: { resolve: { conditions: [...(built ? ['built'] : []), 'module', 'node', 'development'] } },
  test: {
    environment: 'node',
    // Only a test that hangs takes so long: no test is decided by how busy the machine is.
    testTimeout: 60_000,
    pool: 'forks',
    // Most of the time of a small file is the loading of its modules: files share a process, and its modules.
    isolate: false,
    setupFiles: ['test/budget.ts'],
    // By default vitest leaves one processor idle: of two that is half of the machine.
    maxWorkers: availableParallelism(),
    server: { deps: { external: [/\/packages\/[^/]+\/dist\//] } },
    passWithNoTests: false,
    projects: [
      // `npm test`: from the sources, without a build.
      project('unit', 0, suites.unit, { exclude: slow }),
      project('conformance', 0, suites.conformance),
      project('docs', 0, ['test/docs/**/*.test.ts'], { exclude: slow }),
      project('types', 0, ['test/types/**/*.test.ts']),
      // Tests of one file whose processes are independent run side by side.
      project('e2e', 0, ['test/e2e/**/*.test.ts'], { exclude: slow, maxConcurrency: 3 }),

      // `npm run test:all` has the others as well, which may need the build.
      project('slow', 1, ['packages/*/test/**/*.slow.test.ts', 'test/**/*.slow.test.ts'], {
        // Some use up what the whole process has.
        isolate: true,
        maxConcurrency: 3,
      }),
      // The oldest version of the peer that the package accepts: the same tests. Node, which loads `dist`, knows no such alias.
      ...(built ? [] : [project('effect-4.0', 1, ['packages/effect/test/**/*.test.ts'], { alias: effect40 })]),
      project('package', 1, ['test/package/**/*.test.ts', 'test/runtimes/**/*.test.ts'], {
        testTimeout: 120_000,
        hookTimeout: 120_000,
        globalSetup: 'test/package/pack.ts',
      }),
      project('leak', 2, suites.leak, {
        // Bytes do not depend on what other files have left in the process.
        isolate: true,
        execArgv: [...condition, '--expose-gc'],
        testTimeout: 120_000,
      }),
    ],
  },
});
