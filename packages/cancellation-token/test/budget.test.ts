import { consumeBudget } from '@quiesce/cancellation-token';
import { expect, test } from 'vitest';

/** Counts completions up to the first yield, that one included, and returns the yield. */
function useUpBudget(): { count: number; yielding: Promise<void> } {
  for (let count = 1; count <= 10_000; count++) {
    const yielding = consumeBudget();
    if (yielding !== undefined) return { count, yielding };
  }
  throw new Error('the budget was never used up');
}

test('every 1,024th completion yields to the event loop, and no other does', async () => {
  await useUpBudget().yielding;
  for (let i = 0; i < 3; i++) {
    const { count, yielding } = useUpBudget();
    expect(count).toBe(1024);
    await yielding;
  }
});

test('a yield lasts a whole macrotask: waiting callbacks of the event loop run first', async () => {
  const log: string[] = [];
  for (const name of ['one', 'two']) {
    setImmediate(() => log.push(`immediate ${name}`));
    await useUpBudget().yielding;
    log.push(`yield ${name}`);
  }
  expect(log).toEqual(['immediate one', 'yield one', 'immediate two', 'yield two']);
});

test('a loop over ready values lets a timer fire', async () => {
  let fired = false;
  setTimeout(() => {
    fired = true;
  }, 0);
  let completions = 0;
  while (!fired && completions < 100_000_000) {
    completions++;
    await consumeBudget();
  }
  expect(fired).toBe(true);
});

test('all completions during a yield wait for the same yield, and continue in order', async () => {
  const log: number[] = [];
  const { yielding } = useUpBudget();
  const waiting = [0, 1, 2].map(async (index) => {
    const same = consumeBudget();
    expect(same).toBe(yielding);
    await same;
    log.push(index);
  });
  await Promise.all(waiting);
  expect(log).toEqual([0, 1, 2]);
  expect(consumeBudget()).toBeUndefined();
});
