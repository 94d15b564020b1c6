// The example in the docstring of `runMain`, which needs a whole process, runs in one of its own.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { drive } from './shutdown/drive.ts';

const source = readFileSync(new URL('../../packages/shutdown/src/run-main.ts', import.meta.url), 'utf8');
const [, fence = ''] = /```typescript\n([\s\S]*?)```/.exec(source) ?? [];
const program = fence.replaceAll(/^ \* ?/gm, '');
const folder = fileURLToPath(new URL('../.output/run-main/', import.meta.url));

it('prints the promised output, and exits with 0', async () => {
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}example.ts`, program);
  const promised = [...program.matchAll(/^\/\/ => (.*)$/gm)].map((match) => match[1]);
  expect(promised.length).toBeGreaterThan(0);
  const ended = await drive('../../.output/run-main/example', [], []);
  expect([ended.code, ended.killedBy]).toEqual([0, null]);
  expect(ended.lines).toEqual(promised);
});
