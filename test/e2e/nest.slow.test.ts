import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { testNest } from './nest.ts';

const examples = new URL('../../docs/examples/nest/', import.meta.url);

testNest('service');

it('the README of docs/examples/nest states the lines of both programs, and the one with Quiesce has fewer', () => {
  const read = (name: string): string => readFileSync(new URL(name, examples), 'utf8');
  const linesIn = (name: string): number => read(name).match(/^\s*[^\s/].*$/gm)?.length ?? 0;
  const [ours, other] = [linesIn('service.ts'), linesIn('rival.ts')];
  expect(read('README.md')).toMatch(
    new RegExp(`\\bhas ${ours} lines\\.[^.]*\\.tsx?\\]\\([^.]*\\.tsx?\\)[^.]* in ${other}\\.`),
  );
  expect(ours).toBeLessThan(other);
});
