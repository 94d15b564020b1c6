// `console.log` of a handle shows its name, its state and its counts, and no internals or payloads.
import { inspect as inspectValue } from 'node:util';
import { JoinSet, type Scope, scope, type Task, TaskTracker } from '@quiesce/scope';
import { expect, it } from 'vitest';
import { turn } from './vocabulary.ts';

const inspect = (value: unknown): string => inspectValue(value, { breakLength: 200 });

it('a scope, a task, a set and a tracker print their facts, also in JSON', async () => {
  const tracker = new TaskTracker({ name: 'mails' });
  using _ = tracker.guard();
  const set = new JoinSet<string>({ name: 'jobs' });
  set.spawn(() => 'a secret');
  let kept: Scope | undefined;
  let failed: Task<never> | undefined;
  await scope(
    async (s) => {
      kept = s;
      failed = s.spawn(() => Promise.reject('denied'), { name: 'login', onFailure: 'isolate' });
      await failed.catch(() => {});
      const task = s.spawn(() => turn().then(() => 'a secret'), { name: 'page' });
      expect(inspect(task)).toBe("Task { name: 'page', status: 'running' }");
      expect(inspect(s)).toBe("Scope { name: 'request', state: 'running', taskCount: 1, isCancelled: false }");
      await task;
      expect(inspect(task)).toBe("Task { name: 'page', status: 'fulfilled' }");
    },
    { name: 'request' },
  );
  expect(inspect(failed)).toBe("Task { name: 'login', status: 'rejected', reason: 'denied' }");
  expect(JSON.stringify({ s: kept })).toBe(
    '{"s":{"name":"request","state":"closed","taskCount":0,"isCancelled":false}}',
  );
  expect(inspect(set)).toBe("JoinSet { name: 'jobs', length: 1 }");
  expect(inspect(tracker)).toBe("TaskTracker { name: 'mails', length: 1, isClosed: false }");
  await set.shutdown();
});
