// The cost of ages for programs that never read them. `tree()`, and the error of a cleanup timeout, show the age of a task.
//
// The rival is the package without ages, made from the same sources. Each of the two has classes and optimised code of its own.
// A comparison with a stopped clock showed less, because that clock is still read for every task.

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { atMost } from '../budget.ts';
import { expectCount, type Row, type Subject, timed, weighed } from '../harness.ts';

const BURST = 20_000;

const withoutAges = `
  export const startTimeOf = () => undefined;
  export const onTaskEnd = () => {};
`;

/** The code of the package, with ages or without. Everything else is the build. */
async function load(name: string, hasAges: boolean): Promise<typeof import('@quiesce/scope')> {
  const outfile = join(process.cwd(), 'test/bench/.output', `${name}.mjs`);
  let replaced = 0;
  await build({
    entryPoints: ['packages/scope/src/index.ts'],
    bundle: true,
    platform: 'neutral',
    format: 'esm',
    target: 'es2022',
    external: ['@quiesce/cancellation-token', '@quiesce/select'],
    outfile,
    plugins: [
      {
        name: 'ages',
        setup: (bundler) => {
          bundler.onLoad({ filter: /src\/start-time\.ts$/ }, () => {
            replaced++;
            return hasAges ? undefined : { contents: withoutAges, loader: 'ts' };
          });
        },
      },
    ],
  });
  // A missing name would make both the same.
  expectCount(replaced, 1);
  return import(pathToFileURL(outfile).href);
}

let done = 0;
const trivial = async (): Promise<void> => {
  done++;
};

async function spawning(name: string, file: string, hasAges: boolean): Promise<Subject> {
  const { scope } = await load(file, hasAges);
  return timed({
    name,
    batch: BURST,
    isAsync: true,
    run: () =>
      scope((s) => {
        for (let i = 0; i < BURST; i++) s.spawn(trivial);
      }),
    check: () => {
      expectCount(done, BURST);
      done = 0;
    },
  });
}

export const ages: Row = {
  name: `${BURST.toLocaleString('en')} tasks started in one run, and the cost of their ages, a task`,
  unit: 'ns',
  // Only many pairs can distinguish a few percent from zero.
  rounds: 40,
  subjects: async () => [
    await spawning('quiesce', 'scope-as-it-is', true),
    await spawning('the same without ages', 'scope-without-ages', false),
  ],
  budgets: [{ against: 'the same without ages', must: atMost(1.03) }],
};

async function running(name: string, file: string, hasAges: boolean): Promise<Subject> {
  const { Scope } = await load(file, hasAges);
  const s = new Scope();
  return weighed(name, 10 * BURST, () => s.spawn(() => new Promise<void>(() => {})));
}

/** A task may not be one field larger: four bytes of its 400. */
export const bytesOfAges: Row = {
  name: 'heap of a running task, and the cost of its age',
  unit: 'B',
  subjects: async () => [
    await running('quiesce', 'scope-as-it-is', true),
    await running('the same without ages', 'scope-without-ages', false),
  ],
  budgets: [{ against: 'the same without ages', must: atMost(1.01) }],
};
