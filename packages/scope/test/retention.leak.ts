// Objects that outlive a scope or a task, and a scope that runs for months, retain nothing of ended work.
import { CancellationToken } from '@quiesce/cancellation-token';
import { type Scope, scope, type Task } from '@quiesce/scope';
import { expect, test } from 'vitest';
import { bytesPerTurn, collectGarbage, survivors } from '../../../test/leak/leak.ts';

const turns = 30_000;

test('a long-running scope retains nothing of ended tasks', async () => {
  const growth = await scope((s) =>
    bytesPerTurn({ turns }, () => s.spawn(async (token) => token.onCancelled(() => {}))),
  );
  expect(growth).toBeLessThan(1);
});

test('a long-lived token retains nothing of the scopes below it', async () => {
  const outer = new CancellationToken();
  const growth = await bytesPerTurn({ turns: 10_000, below: 16 }, () =>
    scope(
      (s) => {
        s.signal.addEventListener('abort', () => {});
        s.spawn(({ signal }) => void signal.addEventListener('abort', () => {}));
        s.defer(() => {});
      },
      { signal: outer },
    ),
  );
  // Native signals are large and are collected late: a leaked signal takes a thousand bytes, a leaked listener two hundred.
  expect(growth).toBeLessThan(16);
  expect(outer.isCancelled).toBe(false);
});

test('a long-lived foreign signal retains nothing of the scopes below it', async () => {
  const { signal } = new AbortController();
  const growth = await bytesPerTurn({ turns }, () =>
    scope((s) => void s.spawn(async (token) => token.onCancelled(() => {})), { signal }),
  );
  expect(growth).toBeLessThan(1);
});

test('a retained task retains neither its scope nor its work, only its value', async () => {
  const tasks: Task<string>[] = [];
  const left = await survivors(1_000, async () => {
    let watched: Scope | undefined;
    await scope((s) => {
      watched = s;
      tasks.push(s.spawn(async () => (s.name === undefined ? 'value' : 'other')));
    });
    return watched as Scope;
  });
  expect(left).toBe(0);
  expect(await Promise.all(tasks)).toEqual(tasks.map(() => 'value'));
});

test('a retained task retains the work of no sibling', async () => {
  const seen: WeakRef<object>[] = [];
  const first = await scope((s) => {
    const tasks = Array.from({ length: 10 }, () => {
      const big = {};
      seen.push(new WeakRef(big));
      return s.spawn(async () => Object.keys(big).length);
    });
    return { task: tasks[0] as Task<number> };
  });
  await collectGarbage();
  expect(seen.filter((ref) => ref.deref() !== undefined)).toEqual([]);
  expect(await first.task).toBe(0);
});

test('a retained scope retains neither its body nor its cleanups', async () => {
  const seen: WeakRef<object>[] = [];
  const kept = await scope((s) => {
    const resource = {};
    seen.push(new WeakRef(resource));
    s.defer(() => Object.keys(resource));
    s.spawn(() => Object.keys(resource));
    return { s };
  });
  await collectGarbage();
  expect(seen.map((ref) => ref.deref())).toEqual([undefined]);
  expect(kept.s.token.isCancelled).toBe(false);
});
