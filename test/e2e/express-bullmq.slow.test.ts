import { expect, it } from 'vitest';
import { exampleText, linesOf } from './example-service.ts';
import { testService } from './express-bullmq.ts';

testService('service');

it('the README states the lines of both programs, and the one with Quiesce has fewer', () => {
  const [ours, other] = [linesOf('express-bullmq/service.ts'), linesOf('express-bullmq/rival.ts')];
  expect(exampleText('express-bullmq/README.md')).toMatch(
    new RegExp(`\\bhas ${ours} lines\\.[^.]*\\.tsx?\\]\\([^.]*\\.tsx?\\)[^.]* in ${other}\\.`),
  );
  expect(ours).toBeLessThan(other);
});
