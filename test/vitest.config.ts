import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { suites } from './suites.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

// QUIESCE_BUILT=1 runs the same tests against `dist`: Node itself loads what was built, Vite does not touch it.
const allBuilt = process.env['QUIESCE_BUILT'] === '1';

/** Groups run one after another, in this order. Tests that measure memory do not share the processors with others. */
const project = (name: string, order: number, include: string[], options: ProjectOptions = {}) => {
  const { isBuilt = allBuilt, execArgv = [], ...more } = options;
  return {
    extends: true as const,
    ssr: { resolve: { conditions: [...(isBuilt ? ['built'] : []), 'module', 'node', 'development'] } },
    test: {
      ...{ name, include, sequence: { groupOrder: order, sequencer: LongestFirst } },
      execArgv: [...(isBuilt ? ['--conditions=built'] : []), ...execArgv],
      ...more,
    },
  };
};

interface ProjectOptions extends Record<string, unknown> {
  /** Whether the tests read the build, which loads faster than the sources, and is what users get. */
  readonly isBuilt?: boolean;
  readonly execArgv?: readonly string[];
}

const slow = ['**/*.slow.test.ts', '**/*.long.test.ts'];
/** These tests wait for other processes, and for servers that have time limits. */
const waiting = 2 * availableParallelism();
const effect40 = [{ find: /^effect(?=$|\/)/, replacement: 'effect-4-0' }];

/** vitest starts large files first. The longest tests stand in small files, and would run alone at the end. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification): boolean => /\/explored\b.*\.test\.ts$/.test(moduleId);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

export default defineConfig({
  root,
  // Node 20 does not know `using`: the target turns it into try and finally.
  oxc: { target: 'es2022' },
  test: {
    environment: 'node',
    // Only a test that hangs takes this long. A busy machine decides no test.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // A small file spends most of its time loading modules. Files therefore share a process and its modules.
    isolate: false,
    sequence: { sequencer: LongestFirst },
    setupFiles: ['test/budget.ts'],
    // By default vitest leaves one processor idle. On two processors, that is half of the machine.
    maxWorkers: availableParallelism(),
    server: { deps: { external: [/\/packages\/[^/]+\/dist\//] } },
    passWithNoTests: false,
    projects: [
      // `npm test` reads the sources, without a build.
      project('unit', 0, suites.unit, { exclude: slow }),
      project('conformance', 0, suites.conformance, { exclude: slow }),
      project('docs', 0, ['test/docs/**/*.test.ts'], { exclude: slow }),
      project('types', 0, ['test/types/**/*.test.ts']),
      // Tests of one file run concurrently when their processes are independent.
      project('e2e', 0, ['test/e2e/**/*.test.ts'], { exclude: slow, maxConcurrency: 3 }),

      // `npm run test:all` adds these, which may need the build.
      ...['slow', 'long'].map((name) =>
        project(name, 1, [`packages/*/test/**/*.${name}.test.ts`, `test/**/*.${name}.test.ts`], {
          isBuilt: true,
          maxWorkers: waiting,
          // Some exhaust a resource of the whole process.
          isolate: true,
          maxConcurrency: 3,
        }),
      ),
      // The same tests with the oldest Effect that the package accepts. Node loads `dist`, and knows no alias.
      ...(allBuilt
        ? []
        : [project('effect-4.0', 1, ['packages/effect/test/**/*.test.ts'], { alias: effect40, maxWorkers: waiting })]),
      project('package', 1, ['test/package/**/*.test.ts', 'test/runtimes/**/*.test.ts'], {
        testTimeout: 120_000,
        hookTimeout: 120_000,
        globalSetup: 'test/package/pack.ts',
        maxWorkers: waiting,
      }),
      project('leak', 2, suites.leak, {
        isBuilt: true,
        // Objects that other files leave in the process must not be measured.
        isolate: true,
        execArgv: ['--expose-gc'],
        testTimeout: 120_000,
      }),
    ],
  },
});
