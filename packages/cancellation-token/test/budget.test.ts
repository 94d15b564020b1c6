import { consumeBudget } from '@quiesce/cancellation-token';
import { expect, test } from 'vitest';

/** Completions until a turn is asked for, that one included; that turn. */
function spend(): { count: number; turn: Promise<void> } {
  for (let count = 1; count <= 10_000; count++) {
    const turn = consumeBudget();
    if (turn !== undefined) return { count, turn };
  }
  throw new Error('no turn was asked for');
}

test('every 1,024th completion waits for a turn of the event loop, and no other', async () => {
  await spend().turn;
  for (let i = 0; i < 3; i++) {
    const { count, turn } = spend();
    expect(count).toBe(1024);
    await turn;
  }
});

test('a turn is a real one: what waits for the event loop comes first', async () => {
  const log: string[] = [];
  for (const name of ['one', 'two']) {
    setImmediate(() => log.push(`immediate ${name}`));
    await spend().turn;
    log.push(`turn ${name}`);
  }
  expect(log).toEqual(['immediate one', 'turn one', 'immediate two', 'turn two']);
});

test('a loop over what is ready lets a timer through', async () => {
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

test('whatever completes during the turn waits for the same turn, and goes on in order', async () => {
  const log: number[] = [];
  const { turn } = spend();
  const waiting = [0, 1, 2].map(async (index) => {
    const same = consumeBudget();
    expect(same).toBe(turn);
    await same;
    log.push(index);
  });
  await Promise.all(waiting);
  expect(log).toEqual([0, 1, 2]);
  expect(consumeBudget()).toBeUndefined();
});
