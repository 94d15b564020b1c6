import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { type ScopeError, scope, type Task } from '@quiesce/scope';
import { select, sleep } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { failing, obedient, rejection, turn, unhandledIn } from './vocabulary.ts';

const a = new Error('a');
const b = new Error('b');
const isolate = { onFailure: 'isolate' } as const;

describe('an isolated failure', () => {
  it('cancels no other task, and belongs to the code that awaits the task', async () => {
    const clock = new VirtualClock();
    const value = await clock.run(() =>
      scope(async (s) => {
        const optional = s.spawn(failing(clock, 1, a), isolate);
        const sibling = s.spawn(() => sleep(5, { clock }).then(() => 'sibling'));
        const seen = await rejection(optional);
        return [seen === a, await sibling, s.token.isCancelled];
      }),
    );
    expect(value).toEqual([true, 'sibling', false]);
  });

  it.each<[string, (task: Task<never>) => unknown]>([
    ['await', (task) => rejection(task)],
    ['settled', (task) => task.settled()],
    ['select', (task) => rejection(select({ task }))],
    ['finally', (task) => rejection(task.finally())],
    ['Promise.all', (task) => rejection(Promise.all([task]))],
  ])('is claimed by %s, before or after it happens', async (_, ask) => {
    for (const isLate of [false, true]) {
      await scope(async (s) => {
        const task = s.spawn(() => turn().then((): never => Promise.reject(a) as never), isolate) as Task<never>;
        if (isLate) await turn().then(turn);
        await ask(task);
      });
    }
  });

  it('is thrown at the end if no code claims it, in its place in the order of failure', async () => {
    const clock = new VirtualClock();
    const done = scope(async (s) => {
      s.spawn(failing(clock, 1, a), isolate);
      s.spawn(failing(clock, 2, b));
      s.spawn(failing(clock, 3, a), isolate);
      await sleep(5, { clock });
    });
    const error = await rejection(clock.run(() => done));
    expect((error as ScopeError).errors).toEqual([a, b]);
  });

  it('is not claimed by a select that the task loses, nor by reading the state', async () => {
    const clock = new VirtualClock();
    const done = scope(async (s) => {
      const task = s.spawn(failing(clock, 5, a), isolate);
      await select({ task, tick: sleep(1, { clock }) });
      await sleep(10, { clock });
      expect(task.status).toBe('rejected');
    });
    expect(await rejection(clock.run(() => done))).toBe(a);
  });

  it('stays the scope’s when another task with the same error is not claimed', async () => {
    const done = scope(async (s) => {
      const first = s.spawn(() => Promise.reject(a), isolate);
      s.spawn(() => Promise.reject(a), isolate);
      await rejection(first);
    });
    expect(await rejection(done)).toBe(a);
    const mixed = scope(async (s) => {
      s.spawn(() => Promise.reject(a));
      await rejection(s.spawn(() => Promise.reject(a), isolate));
    });
    expect(await rejection(mixed)).toBe(a);
  });

  it('is a failure of the body when the body awaits the task and does not catch it', async () => {
    const done = scope(async (s) => await s.spawn(() => Promise.reject(a), isolate));
    expect(await rejection(done)).toBe(a);
  });

  it('does not exist when the task was cancelled', async () => {
    await scope(async (s) => {
      const task = s.spawn(obedient(new VirtualClock()), isolate);
      task.cancel();
    });
  });

  it('is never an unhandled rejection', async () => {
    const unhandled = await unhandledIn(async () => {
      await scope((s) => void s.spawn(() => Promise.reject(a), isolate)).catch(() => {});
      await scope(async (s) => void (await s.spawn(() => Promise.reject(a), isolate).settled()));
    });
    expect(unhandled).toEqual([]);
  });
});

describe('isolated tasks that fail with the same error object', () => {
  it('must each be claimed: the error is thrown while one of them was not, whichever it is', async () => {
    const same = new Error('same');
    for (const asked of [[0], [1], []]) {
      const done = scope(async (s) => {
        const fails = () => Promise.reject(same);
        const tasks = [s.spawn(fails, { onFailure: 'isolate' }), s.spawn(fails, { onFailure: 'isolate' })];
        await turn();
        for (const index of asked) {
          await tasks[index]?.settled();
          await tasks[index]?.settled();
        }
      });
      expect(await rejection(done)).toBe(same);
    }
    const handled = await scope(async (s) => {
      const tasks = [0, 1].map(() => s.spawn(() => Promise.reject(same), { onFailure: 'isolate' }));
      for (const task of tasks) await task.settled();
      return 'handled';
    });
    expect(handled).toBe('handled');
  });

  it('leave it to the scope when a task that is not isolated throws it too', async () => {
    const same = new Error('same');
    const done = scope(async (s) => {
      const isolated = s.spawn(() => Promise.reject(same), { onFailure: 'isolate' });
      s.spawn(() => Promise.reject(same));
      await isolated.settled();
    });
    expect(await rejection(done)).toBe(same);
  });
});
