import { expect, it } from 'vitest';
import { exampleText, linesOf } from './example-service.ts';
import { testService } from './fastify-outbox.ts';

testService('service');

it('the README states the lines of both programs, and the one with Quiesce has fewer', () => {
  const [ours, other] = [linesOf('fastify-outbox/service.ts'), linesOf('fastify-outbox/rival.ts')];
  expect(exampleText('fastify-outbox/README.md')).toMatch(
    new RegExp(`\\bhas ${ours} lines\\.[^.]*\\.tsx?\\]\\([^.]*\\.tsx?\\)[^.]* in ${other}\\.`),
  );
  expect(ours).toBeLessThan(other);
});
