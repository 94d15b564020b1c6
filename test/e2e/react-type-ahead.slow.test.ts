import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { testTypeAhead } from './react-type-ahead.ts';

const examples = new URL('../../docs/examples/react-type-ahead/', import.meta.url);

testTypeAhead('with useTask', 'index.html');

it('the README of docs/examples/react-type-ahead states the lines of both programs, and the one with Quiesce has fewer', () => {
  const read = (name: string): string => readFileSync(new URL(name, examples), 'utf8');
  const linesIn = (name: string): number => read(name).match(/^\s*[^\s/].*$/gm)?.length ?? 0;
  const [ours, other] = [linesIn('type-ahead.tsx'), linesIn('rival.tsx')];
  expect(read('README.md')).toMatch(
    new RegExp(`\\bhas ${ours} lines\\.[^.]*\\.tsx?\\]\\([^.]*\\.tsx?\\)[^.]* in ${other}\\.`),
  );
  expect(ours).toBeLessThan(other);
});
