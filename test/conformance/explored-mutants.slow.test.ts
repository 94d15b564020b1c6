// Known faults of waits, put back into a copy of the sources: the explorer must find each of them. `explored-waits.test.ts` explores the
// sources as they are.

import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { ScheduleError } from '@quiesce/testing';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = `${root}test/.output/mutants/`;

interface Mutant {
  readonly fault: string;
  readonly file: string;
  /** The mend, and the code without it. */
  readonly mend: string;
  readonly without: string;
  /** The source to wait for. */
  readonly subject: string;
  readonly found: RegExp;
}

const mutants: Mutant[] = [
  {
    fault: 'a select that does not poll after it has parked sleeps beside its value or its reason',
    file: 'packages/select/src/race.ts',
    mend: 'if (!isQuiet && race.state === RACING) decide(race, from);',
    without: '',
    subject: 'mpsc receiver',
    found: /sleeps beside a value|still waits/,
  },
  {
    fault: 'a select that was woken parks after its wake-up, and does not poll again',
    file: 'packages/select/src/race.ts',
    mend: 'if ((race.state as number) === RACING) decide(race);\n    }',
    without: '}',
    subject: 'a source of a user',
    found: /sleeps beside a value|still waits/,
  },
  {
    fault: 'a select that is decided while it parks stays parked',
    file: 'packages/select/src/race.ts',
    mend: 'if (race.state > DECIDED) unpark(entry, protocol);',
    without: '',
    subject: 'mpsc receiver',
    found: /leaves a waiter behind/,
  },
  {
    fault: 'a wait that does not poll after it has parked sleeps beside a value',
    file: 'packages/cancellation-token/src/wait.ts',
    mend: 'while (!this.#take() && !this.isParked) {',
    without: 'if (!this.#take() && !this.isParked) {',
    subject: 'mpsc receiver',
    found: /sleeps beside a value|still waits/,
  },
  {
    fault: 'a receive with a signal that does not poll after it has parked sleeps beside a value',
    file: 'packages/channel/src/recv-waiter.ts',
    mend: '} while (!this.#pollAndSettle() && !this.isParked);',
    without: '} while (false);',
    subject: 'recv() of mpsc',
    found: /sleeps beside a value|still waits/,
  },
  {
    fault: 'a wait on two sources parks on the second after the first has woken it',
    file: 'packages/internal/src/pair.ts',
    mend: 'if (this.head === undefined) this.#unparkBoth();\n    }',
    without: '}',
    subject: 'mpsc receiver',
    found: /leaves a waiter behind|sleeps|place is gone/,
  },
];

beforeAll(() => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Bundles the exploration with the fault. */
async function bundled({ file, mend, without }: Mutant, name: string): Promise<typeof import('./explored-waits.ts')> {
  const outfile = `${folder}${name}.mjs`;
  await build({
    entryPoints: [`${root}test/conformance/explored-waits.ts`],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'es2022',
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    logLevel: 'error',
    plugins: [
      {
        name: 'takes the mend out',
        setup: (b) => {
          b.onLoad({ filter: new RegExp(`${file.replaceAll('.', '\\.')}$`) }, ({ path }) => {
            const source = readFileSync(path, 'utf8');
            if (source.split(mend).length !== 2) throw new Error(`${file} has no such mend: ${mend}`);
            return { contents: source.replace(mend, () => without), loader: 'ts' };
          });
        },
      },
    ],
  });
  return (await import(pathToFileURL(outfile).href)) as typeof import('./explored-waits.ts');
}

test.each(mutants.map((mutant, i) => [mutant.fault, mutant, String(i)] as const))(
  'the explorer finds that %s',
  async (_, mutant, name) => {
    const { exploreWaits } = await bundled(mutant, name);
    const error = await exploreWaits(mutant.subject, 2).then(
      () => undefined,
      (reason: ScheduleError) => reason,
    );
    expect(error?.kind).toBe('test');
    expect(error?.message).toMatch(mutant.found);
    const again = await exploreWaits(mutant.subject, 2).catch((reason: ScheduleError) => reason);
    expect((again as ScheduleError).schedule).toBe(error?.schedule);
  },
  300_000,
);
