// The end of a set, while tasks are still spawned.
import { type CancellationToken, consumeBudget } from '@quiesce/cancellation-token';
import { type Joined, JoinSet } from '@quiesce/scope';
import { describe, expect, it } from 'vitest';
import { deaf, rejection, turn } from './vocabulary.ts';

const a = new Error('a');

function values<T>(joined: readonly Joined<T>[]): unknown[] {
  return joined.map((one) => (one.status === 'fulfilled' ? one.value : one.status));
}

describe('a set that is being emptied', () => {
  /** Starts itself again whenever it is cancelled, until the fifth time. */
  const respawning = (set: JoinSet<number>): ((token: CancellationToken) => Promise<number>) => {
    let generation = 0;
    return async function work(token): Promise<number> {
      const mine = generation++;
      await token.cancelled();
      if (mine < 4) set.spawn(work);
      return mine;
    };
  };

  it('cancels later tasks: shutdown ends, and they get its reason', async () => {
    const set = new JoinSet<number>();
    const reasons: unknown[] = [];
    set.spawn(respawning(set));
    set.spawn(async (token) => {
      await token.cancelled();
      set.spawn((own) => {
        reasons.push(own.reason);
        return 9;
      });
      return 8;
    });
    expect(values(await set.shutdown('deploy')).sort()).toEqual([0, 1, 2, 3, 4, 8, 9]);
    expect(reasons).toEqual(['deploy']);
    expect(set.length).toBe(0);
  });

  it('does so at the end of its block, and in joinAll after the first failure', async () => {
    {
      await using set = new JoinSet<number>();
      set.spawn(respawning(set));
    }
    const set = new JoinSet<number>();
    set.spawn(respawning(set));
    set.spawn(() => Promise.reject(a));
    expect(await rejection(set.joinAll())).toBe(a);
    expect(set.length).toBe(0);
  });

  it('keeps the first reason', async () => {
    const set = new JoinSet<unknown>();
    set.spawn(async (token) => {
      await token.cancelled();
      await turn();
      set.spawn((own) => own.reason);
      return 'first generation';
    });
    const first = set.shutdown('deploy');
    const second = set.shutdown('again');
    const ends = await Promise.all([first, second]);
    expect(values(ends.flat()).sort()).toEqual(['deploy', 'first generation']);
  });

  it('also joins tasks that are spawned in the step in which the others are detached', async () => {
    const set = new JoinSet<number>();
    set.spawn(deaf<number>().work);
    const done = set.shutdown();
    // `shutdown` is pending by now.
    await turn();
    set.detachAll();
    set.spawn(() => 1);
    expect(values(await done)).toEqual([1]);
  });

  it('rejects in joinAll with the reason of the first of several cancelled tasks', async () => {
    const set = new JoinSet<void>();
    const stopped = async (token: CancellationToken): Promise<void> => {
      await token.cancelled();
      token.throwIfCancelled();
    };
    for (const reason of ['first', 'second']) set.spawn(stopped).cancel(reason);
    expect(await rejection(set.joinAll())).toBe('first');
  });

  it('can be used again afterwards', async () => {
    const set = new JoinSet<boolean>();
    set.spawn((token) => token.isCancelled);
    await set.shutdown();
    set.spawn((token) => token.isCancelled);
    expect(await set.joinAll()).toEqual([false]);
  });

  it.each([
    ['shutdown', 'shutdown'],
    ['joinAll', 'shutdown'],
    ['shutdown', 'joinAll'],
  ] as const)('by %s and %s at once is so until both are done', async (first, second) => {
    // With one of these numbers of completions left before a pause, the second call is one round of the event loop later.
    for (let left = 0; left < 6; left++) {
      const set = new JoinSet<void>();
      const task = deaf();
      set.spawn(task.work);
      const untilCancelled = (token: CancellationToken): Promise<void> => token.cancelled().then(() => {});
      const reused = set[first]().then(() => set.spawn(untilCancelled));
      let isDone = false;
      const done = set[second]().then(() => {
        isDone = true;
      });
      await spendBudget(left);
      task.fulfil();
      for (let i = 0; i < 5 && !isDone; i++) await turn();
      expect(isDone, `with ${left} left`).toBe(true);
      await Promise.all([reused, done, set.shutdown()]);
    }
  });
});

/** Uses up all completions before a pause of the event loop, except for this many. */
async function spendBudget(left: number): Promise<void> {
  const toTurn = async (): Promise<number> => {
    let spent = 0;
    let turn = consumeBudget();
    for (; turn === undefined; turn = consumeBudget()) spent++;
    await turn;
    return spent;
  };
  await toTurn();
  const all = await toTurn();
  for (let i = left; i < all; i++) void consumeBudget();
}
