// The cost of cooperation, with which a loop over ready branches lets the event loop run. The rival is the same built packages
// without the function that counts.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { CancellationToken } from '@quiesce/cancellation-token';
import { select } from '@quiesce/select';
import { atMost } from '../budget.ts';
import type { Row } from '../harness.ts';
import { isBranch, turning } from './turns.ts';

const counting = /(function consumeBudget\(\) \{)[^}]*\}/;
const output = new URL('./without-cooperation/', import.meta.url);

/** Writes copies of both packages without the count, and loads them. */
async function withoutCooperation(): Promise<[typeof select, typeof CancellationToken]> {
  const counted = copy('@quiesce/cancellation-token', 'token', (code) => code.replace(counting, '$1}'));
  if (!counted) throw new Error('the count of completions was not found in the token that was built');
  copy('@quiesce/select', 'select', (code) =>
    code.replace(/@quiesce\/cancellation-token(?:\/(\w+))?/g, (_, subpath = 'index') => `../token/${subpath}.js`),
  );
  const loaded = (await import(new URL('select/index.js', output).href)) as { select: typeof select };
  const token = (await import(new URL('token/index.js', output).href)) as {
    CancellationToken: typeof CancellationToken;
  };
  return [loaded.select, token.CancellationToken];
}

/** Copies the build of a package. Returns whether a file was changed. */
function copy(name: string, folder: string, change: (code: string) => string): boolean {
  const built = new URL('./', import.meta.resolve(name));
  mkdirSync(new URL(`${folder}/`, output), { recursive: true });
  writeFileSync(new URL(`${folder}/package.json`, output), '{ "type": "module" }');
  let isChanged = false;
  for (const file of readdirSync(built).filter((one) => one.endsWith('.js'))) {
    const code = readFileSync(new URL(file, built), 'utf8');
    const changed = change(code);
    isChanged ||= changed !== code;
    writeFileSync(new URL(`${folder}/${file}`, output), changed);
  }
  return isChanged;
}

const [selectWithout, TokenWithout] = await withoutCooperation();
const isDone = isBranch('done');
const without = 'the same without it';

/** A loop over ready branches, with either copy. */
function loop(run: typeof select, Token: typeof CancellationToken): () => Promise<unknown> {
  const [a, done] = [new Token(), new Token()];
  done.cancel('ready');
  return () => run({ a, done });
}

export const cooperation: readonly Row[] = [
  {
    name: 'cooperation: a loop of selects that are ready, an iteration',
    unit: 'ns',
    subjects: () => [
      turning('quiesce', loop(select, CancellationToken), isDone),
      turning(without, loop(selectWithout, TokenWithout), isDone),
    ],
    budgets: [{ against: without, must: atMost(1.03) }],
  },
];
