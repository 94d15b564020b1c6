// The behaviour that the tests of trio's nurseries and asyncio's TaskGroup cover, tested on scopes. The name of a test says where
// the behaviour differs. docs/guide/scope-outcomes.md gives the reasons.
import { CancellationToken, TimeoutError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { Scope, ScopeError, scope, shield, type Task } from '@quiesce/scope';
import { select, sleep } from '@quiesce/select';
import { describe, expect, it } from 'vitest';

const a = new Error('a');
const b = new Error('b');
const c = new Error('c');

/** Waits for its cancellation, cleans up for the given time, and ends as cancelled. */
function waiting(clock: VirtualClock, ms = 0, log: (at: number) => void = () => {}) {
  return async (token: CancellationToken): Promise<never> => {
    await select({ token });
    await sleep(ms, { clock });
    log(clock.now());
    throw token.reason;
  };
}

async function failing(clock: VirtualClock, ms: number, error: unknown): Promise<never> {
  await sleep(ms, { clock });
  throw error;
}

/** Returns the result of a scope on its clock, or its error. */
async function outcomeOf(clock: VirtualClock, work: () => Promise<unknown>): Promise<unknown> {
  return clock.run(() =>
    work().then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    ),
  );
}

describe('as in trio, a nursery', () => {
  it('is not left before its last child', async () => {
    const clock = new VirtualClock();
    await clock.run(() => scope((s) => void s.spawn(() => sleep(10, { clock }))));
    expect(clock.now()).toBe(10);
  });

  it('lets a child start further children in it, also after the end of the body', async () => {
    const clock = new VirtualClock();
    let last = 0;
    const child = async (s: Scope, depth: number): Promise<void> => {
      await sleep(1, { clock });
      last = depth;
      if (depth < 5) s.spawn(() => child(s, depth + 1));
    };
    await clock.run(() => scope((s) => void s.spawn(() => child(s, 1))));
    expect(last).toBe(5);
  });

  it('cancels body and siblings when a child crashes, and raises when all have ended', async () => {
    const clock = new VirtualClock();
    const left: number[] = [];
    const outcome = await outcomeOf(clock, () =>
      scope(async (s) => {
        s.spawn(() => failing(clock, 5, a));
        s.spawn(waiting(clock, 10, (at) => left.push(at)));
        await waiting(clock, 3, (at) => left.push(at))(s.token);
      }),
    );
    expect(outcome).toEqual({ error: a });
    expect(left).toEqual([8, 15]);
  });

  it('raises all errors when several children crash, including one that raises while it is cancelled', async () => {
    const clock = new VirtualClock();
    const outcome = await outcomeOf(clock, () =>
      scope(async (s) => {
        s.spawn(() => failing(clock, 1, a));
        s.spawn(async (token) => {
          await token.cancelled();
          throw b;
        });
        try {
          await s.token.cancelled();
        } finally {
          await failing(clock, 5, c);
        }
      }),
    );
    expect((outcome as { error: ScopeError }).error.errors).toEqual([a, b, c]);
  });

  it('takes no new child once it is closed', async () => {
    let outside: Scope | undefined;
    await scope((s) => {
      outside = s;
    });
    expect(() => outside?.spawn(() => {})).toThrow('has ended');
  });

  it('reports the crash of an inner nursery as the crash of its task', async () => {
    const clock = new VirtualClock();
    const outcome = await outcomeOf(clock, () =>
      scope((s) => {
        s.spawn(waiting(clock));
        s.spawn((signal) => scope((inner) => void inner.spawn(() => failing(clock, 1, a)), { signal }));
      }),
    );
    expect(outcome).toEqual({ error: a });
  });

  it('is left at its deadline, the earliest one of nested nurseries', async () => {
    const clock = new VirtualClock();
    const outcome = await outcomeOf(clock, () =>
      scope((s) => s.spawn((signal) => scope((inner) => inner.spawn(waiting(clock)), { signal, timeout: 100 })), {
        timeout: 5,
        clock,
      }),
    );
    expect(outcome).toMatchObject({ error: { name: 'TimeoutError' } });
    expect(clock.now()).toBe(5);
  });

  it('starts a child in a cancelled nursery, which is cancelled at its first checkpoint', async () => {
    const seen: boolean[] = [];
    await scope((s) => {
      s.cancel();
      s.spawn((token) => seen.push(token.isCancelled));
    }).catch(() => {});
    expect(seen).toEqual([true]);
  });

  it('unlike trio: does not start the body when it is already cancelled from outside', async () => {
    let started = false;
    const outcome = await scope(
      () => {
        started = true;
      },
      { signal: CancellationToken.alreadyCancelled('gone') },
    ).catch((error: unknown) => error);
    expect([outcome, started]).toEqual(['gone', false]);
  });

  it('shields a cleanup from the cancellation', async () => {
    const clock = new VirtualClock();
    let flushedAt = 0;
    await outcomeOf(clock, () =>
      scope(async (s) => {
        s.spawn(async (token) => {
          await token.cancelled();
          await shield(() => sleep(5, { clock }));
          flushedAt = clock.now();
        });
        await sleep(1, { clock });
        s.cancel();
      }),
    );
    expect(flushedAt).toBe(6);
  });
});

describe('as in trio, start', () => {
  it('returns when the child has called started, and the child continues', async () => {
    const clock = new VirtualClock();
    await clock.run(() =>
      scope(async (s) => {
        const { value } = await s.start(async (_, started: (n: number) => void) => {
          await sleep(3, { clock });
          started(7);
          await sleep(3, { clock });
        });
        expect([value, clock.now()]).toEqual([7, 3]);
      }),
    );
    expect(clock.now()).toBe(6);
  });

  it('raises an error that the child raises before started, and then leaves the nursery running (isolated, here)', async () => {
    const clock = new VirtualClock();
    const outcome = await outcomeOf(clock, () =>
      scope(async (s) => {
        const error = await s.start(() => failing(clock, 1, a), { onFailure: 'isolate' }).catch((error) => error);
        return [error === a, s.token.isCancelled];
      }),
    );
    expect(outcome).toEqual({ value: [true, false] });
  });

  it('fails when the child exits without calling started, and when it calls it twice', async () => {
    await scope(async (s) => {
      expect(await s.start(() => {}).catch((error: Error) => error.message)).toContain('without calling ready');
      await s.start((_, started: (n: number) => void) => {
        started(1);
        expect(() => started(2)).toThrow('called it before');
      });
    });
  });
});

describe('as in asyncio, a TaskGroup', () => {
  it('without tasks is left at once, with its value', async () => {
    expect(await scope(async () => 42)).toBe(42);
  });

  it('returns results of tasks after and within the block', async () => {
    const clock = new VirtualClock();
    const tasks = await clock.run(() =>
      scope((s) => ({ list: [1, 2].map((n) => s.spawn(() => sleep(n, { clock }).then(() => n))) })),
    );
    expect(await Promise.all(tasks.list)).toEqual([1, 2]);
  });

  it('cancels its tasks when the body raises, and raises the body’s error', async () => {
    const clock = new VirtualClock();
    let task: Task<never> | undefined;
    const outcome = await outcomeOf(clock, () =>
      scope(async (s) => {
        task = s.spawn(waiting(clock, 5));
        await failing(clock, 1, a);
      }),
    );
    expect(outcome).toEqual({ error: a });
    expect([task?.status, clock.now()]).toEqual(['cancelled', 6]);
  });

  it('ignores a task that is cancelled alone', async () => {
    const clock = new VirtualClock();
    const outcome = await outcomeOf(clock, () =>
      scope(async (s) => {
        s.spawn(waiting(clock)).cancel();
        await sleep(1, { clock });
        return s.token.isCancelled;
      }),
    );
    expect(outcome).toEqual({ value: false });
  });

  it('waits for a task that swallows its cancellation, and ignores its result', async () => {
    const clock = new VirtualClock();
    const outcome = await outcomeOf(clock, () =>
      scope(async (s) => {
        s.spawn(() => sleep(50, { clock }));
        await failing(clock, 1, a);
      }),
    );
    expect(outcome).toEqual({ error: a });
    expect(clock.now()).toBe(50);
  });

  it('cancels all tasks when it is cancelled from outside, and raises the cancellation unless a task failed', async () => {
    const clock = new VirtualClock();
    for (const fails of [false, true]) {
      const outer = new CancellationToken();
      const outcome = await outcomeOf(clock, () =>
        scope(
          async (s) => {
            s.spawn(async (token) => {
              await token.cancelled();
              if (fails) throw a;
            });
            await sleep(1, { clock });
            outer.cancel('outside');
            s.token.throwIfCancelled();
          },
          { signal: outer },
        ),
      );
      expect(outcome).toEqual({ error: fails ? a : 'outside' });
    }
  });

  it('rejects a task after its end, and accepts one from a task while it is being left', async () => {
    const clock = new VirtualClock();
    let accepted = false;
    let s: Scope | undefined;
    await clock.run(() =>
      scope((own) => {
        s = own;
        own.spawn(() => sleep(1, { clock }).then(() => own.spawn(() => (accepted = true))));
      }),
    );
    expect(accepted).toBe(true);
    expect(() => s?.spawn(() => {})).toThrow('has ended');
  });

  it('keeps a failure that is caught inside from the outer group', async () => {
    const clock = new VirtualClock();
    const outcome = await outcomeOf(clock, () =>
      scope(async (s) => {
        const sibling = s.spawn(() => sleep(5, { clock }).then(() => 'sibling'));
        await scope((inner) => void inner.spawn(() => failing(clock, 1, a)), { signal: s.token }).catch(() => {});
        return await sibling;
      }),
    );
    expect(outcome).toEqual({ value: 'sibling' });
  });

  it('ends all its tasks before a timeout around it is raised', async () => {
    const clock = new VirtualClock();
    const left: number[] = [];
    const outcome = await outcomeOf(clock, () =>
      scope((s) => s.spawn(waiting(clock, 7, (at) => left.push(at))), { timeout: 5, clock }),
    );
    expect((outcome as { error: unknown }).error).toBeInstanceOf(TimeoutError);
    expect(left).toEqual([12]);
  });

  it('unlike asyncio: treats an AbortError of a task that was not cancelled as a failure', async () => {
    const foreign = new DOMException('not ours', 'AbortError');
    expect(await scope((s) => void s.spawn(() => Promise.reject(foreign))).catch((error: unknown) => error)).toBe(
      foreign,
    );
  });

  it('unlike asyncio: throws a single error itself, not in a group', async () => {
    const error = await scope((s) => void s.spawn(() => Promise.reject(a))).catch((error: unknown) => error);
    expect(error).toBe(a);
    expect(error).not.toBeInstanceOf(ScopeError);
  });

  it('may be a block: leaving it by an error cancels and awaits the tasks', async () => {
    const clock = new VirtualClock();
    const left: number[] = [];
    const outcome = await outcomeOf(clock, async () => {
      await using s = new Scope();
      s.spawn(waiting(clock, 5, (at) => left.push(at)));
      await failing(clock, 1, b);
    });
    expect(outcome).toEqual({ error: b });
    expect(left).toEqual([6]);
  });
});
