import { isSource, PENDING, source, type Waiter } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { type Scope, scope, type Task } from '@quiesce/scope';
import { select, sleep } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { deaf, obedient, rejection, turn } from './vocabulary.ts';

const error = new Error('work');

/** A failed task, in a failed scope; in an object, since a promise would follow it. */
async function failed(): Promise<{ task: Task<number> }> {
  let task: Task<number> | undefined;
  await scope((s) => {
    task = s.spawn(async (): Promise<number> => {
      throw error;
    });
  }).catch(() => {});
  return { task: task as Task<number> };
}

describe('a task', () => {
  it('is awaitable, and gives its value to every await', async () => {
    await scope(async (s) => {
      const task = s.spawn(async () => 'value');
      expect(await task).toBe('value');
      expect(await task).toBe('value');
      expect(await Promise.all([task, task])).toEqual(['value', 'value']);
    });
  });

  it('follows promises and tasks that its work returns', async () => {
    await scope(async (s) => {
      const inner = s.spawn(async () => 'inner');
      const outer: Task<string> = s.spawn(() => inner);
      expect(await outer).toBe('inner');
    });
  });

  it('has its given name, and a state that changes once', async () => {
    await scope(async (s) => {
      const { work, fulfil } = deaf();
      const task = s.spawn(work, { name: 'poller' });
      expect([task.name, task.status]).toEqual(['poller', 'running']);
      expect(s.spawn(() => {}).name).toBe(undefined);
      fulfil();
      await task;
      expect(task.status).toBe('fulfilled');
      const cancelled = s.spawn(obedient(new VirtualClock()));
      cancelled.cancel();
      expect(cancelled.status).toBe('running');
      await cancelled.settled();
      expect(cancelled.status).toBe('cancelled');
    });
    expect((await failed()).task.status).toBe('rejected');
  });

  it('rejects every await with its error, verbatim, then and later', async () => {
    const { task } = await failed();
    expect(await rejection(task)).toBe(error);
    expect(await rejection(task)).toBe(error);
  });

  it('has catch and finally as promises do', async () => {
    const { task } = await failed();
    const seen: unknown[] = [];
    expect(await task.catch((error: unknown) => [error])).toEqual([error]);
    expect(await rejection(task.catch())).toBe(error);
    expect(await rejection(task.finally(() => seen.push('finally')))).toBe(error);
    expect(await task.then(null, () => 'handled')).toBe('handled');
    expect(seen).toEqual(['finally']);
    await scope(async (s) => {
      const fine = s.spawn(() => 1);
      expect(await fine.finally(() => seen.push('again'))).toBe(1);
      expect(await fine.catch(() => 2)).toBe(1);
      expect(await fine.then((n) => n + 1)).toBe(2);
      expect(await rejection(fine.finally(() => Promise.reject(error)))).toBe(error);
    });
    expect(seen).toEqual(['finally', 'again']);
  });

  it('returns from settled how it ended, and never rejects there', async () => {
    expect(await (await failed()).task.settled()).toEqual({ status: 'rejected', reason: error });
    await scope(async (s) => {
      expect(await s.spawn(() => 1).settled()).toEqual({ status: 'fulfilled', value: 1 });
      const task = s.spawn(obedient(new VirtualClock()));
      task.cancel('enough');
      expect(await task.settled()).toEqual({ status: 'cancelled', reason: 'enough' });
    });
  });

  it('fails when it throws an error of its own after a cancellation, even with the reason as cause', async () => {
    const failure = new Error('rollback failed');
    const done = scope(async (s) => {
      const task = s.spawn(async (token) => {
        await token.cancelled();
        throw Object.assign(failure, { cause: token.reason });
      });
      task.cancel();
      expect(await task.settled()).toEqual({ status: 'rejected', reason: failure });
      return 'all is well';
    });
    expect(await rejection(done)).toBe(failure);
  });

  it('disposes its token when it has ended', async () => {
    await scope(async (s) => {
      let heard = 0;
      const task = s.spawn((token) => {
        token.onCancelled(() => heard++);
        return token.childToken();
      });
      const child = await task;
      s.cancel('stop');
      expect(heard).toBe(0);
      expect(child.reason).toBe('stop');
    }).catch(() => {});
  });
});

describe('a task as a branch', () => {
  it('wins with its value, and keeps running when it loses', async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    await clock.run(() =>
      scope(async (s) => {
        const task = s.spawn(() => sleep(20, { clock }).then(() => 'value'));
        expect(await select({ task, tick: sleep(10, { clock }) })).toEqual({ branch: 'tick', value: undefined });
        log.push(task.status);
        expect(await select({ task, tick: sleep(100, { clock }) })).toEqual({ branch: 'task', value: 'value' });
        log.push(task.status);
      }),
    );
    expect(log).toEqual(['running', 'fulfilled']);
    expect(clock.pendingCount).toBe(0);
  });

  it('is ready at once when it has ended, and wins with its error when it has failed', async () => {
    const { task } = await failed();
    expect(await rejection(select({ task }))).toBe(error);
    await scope(async (s) => {
      const fine = s.spawn(() => 1);
      await fine;
      let started = false;
      const work = (): void => {
        started = true;
      };
      expect(await select.biased({ work, fine })).toEqual({ branch: 'fine', value: 1 });
      expect(started).toBe(false);
    });
  });

  it('is polled, parked on and unparked like any source', async () => {
    await scope(async (s) => {
      const { work, fulfil } = deaf<number>();
      const task = s.spawn(work);
      const woken: string[] = [];
      const waiter = (name: string): Waiter => ({
        next: undefined,
        prev: undefined,
        owner: undefined,
        wake: () => woken.push(`${name} ${String(task[source].poll())}`),
      });
      const [first, gone, last] = [waiter('first'), waiter('gone'), waiter('last')];
      expect(isSource(task)).toBe(true);
      expect(task[source].poll()).toBe(PENDING);
      for (const each of [first, gone, last, first]) task[source].park(each);
      task[source].unpark(gone);
      fulfil(7);
      expect(woken).toEqual([]);
      await task;
      expect(woken).toEqual(['first 7', 'last 7']);
    });
  });
});

describe('a scope', () => {
  it('leaves no unhandled rejection, except for the promise of the scope itself', async () => {
    const unhandled: unknown[] = [];
    const listener = (reason: unknown): unknown => unhandled.push(reason);
    process.on('unhandledRejection', listener);
    const cases: ((s: Scope) => unknown)[] = [
      (s) => s.spawn(() => Promise.reject(error)).name,
      (s) => void s.spawn(() => Promise.reject(error)).then(() => {}),
      (s) => void s.spawn(() => Promise.reject(error)).then(),
      (s) => void s.spawn(() => Promise.reject(error)).finally(() => {}),
      (s) => {
        const task = s.spawn(obedient(new VirtualClock()));
        void task.finally(() => {});
        void task.then(() => {});
        task.cancel();
      },
      (s) => {
        const task = s.spawn(() => Promise.reject(error));
        void task.then(() => {}).then(() => {});
        void task
          .then(() => {})
          .finally(() => {})
          .then()
          .finally(() => {});
        void task
          .finally(() => {})
          .then(() => {})
          .finally();
      },
      (s) =>
        void s
          .start(() => Promise.reject(error))
          .then(() => {})
          .finally(() => {}),
      (s) =>
        void s
          .start(() => {})
          .then(() => {})
          .then(() => {}),
      (s) => {
        const task = s.spawn(obedient(new VirtualClock()));
        void task.then(() => {}).then(() => {});
        void s
          .start((token) => obedient(new VirtualClock())(token))
          .finally(() => {})
          .then(() => {});
        s.cancel();
      },
      (s) => void s.spawn(() => Promise.reject(error)).settled(),
      (s) => s.spawn(obedient(new VirtualClock())).cancel(),
      (s) => s.defer(() => Promise.reject(error)),
      (s) => {
        s.spawn(obedient(new VirtualClock()));
        throw error;
      },
      (s) => {
        for (let i = 0; i < 3; i++) s.spawn(() => Promise.reject(new Error(`number ${i}`)));
        return s.cancel();
      },
      (s) => void s.spawn((token) => scope(() => Promise.reject(error), { signal: token })),
      async (s) => {
        const task = s.spawn(() => Promise.reject(error));
        await select({ task, other: new Promise(() => {}) });
      },
    ];
    for (const body of cases) {
      await scope(body).catch(() => {});
      await turn();
    }
    await turn();
    process.off('unhandledRejection', listener);
    expect(unhandled).toEqual([]);
  });

  it('hides no error of a function that a derived promise calls, and no error of an isolated task', async () => {
    const unhandled: unknown[] = [];
    const listener = (reason: unknown): unknown => unhandled.push(reason);
    process.on('unhandledRejection', listener);
    const own = new Error('of a callback');
    const fail = (): never => {
      throw own;
    };
    const fails = (): Promise<never> => Promise.reject(error);
    const cases: ((s: Scope) => unknown)[] = [
      (s) =>
        s
          .spawn(async () => 1)
          .then(fail)
          .then(() => {}),
      (s) =>
        s
          .spawn(async () => 1)
          .then(() => {})
          .then(fail)
          .finally(() => {}),
      (s) =>
        s
          .spawn(fails)
          .finally(() => {})
          .finally(fail)
          .then(() => {}),
      (s) =>
        s
          .spawn(fails)
          .then(() => {})
          .catch(fail),
      (s) =>
        s
          .spawn(fails)
          .catch(() => {})
          .then(fail)
          .then(() => {}),
      (s) =>
        s
          .start(fails)
          .then(() => {})
          .catch(() => {})
          .then(fail),
      (s) =>
        s
          .spawn(fails, { onFailure: 'isolate' })
          .then(() => {})
          .finally(() => {}),
    ];
    const seen: unknown[][] = [];
    for (const derive of cases) {
      await scope((s) => void derive(s)).catch(() => {});
      await turn();
      await turn();
      seen.push(unhandled.splice(0));
    }
    process.off('unhandledRejection', listener);
    expect(seen).toEqual([[own], [own], [own], [own], [own], [own], [error]]);
  });

  it('does not change the value of a derived promise', async () => {
    await scope(async (s) => {
      const task = s.spawn(async () => 2);
      const derived = task.then((n) => n + 1);
      expect(await derived.then((n) => n * 2)).toBe(6);
      expect(await Promise.all([derived, task.finally(() => 'dropped')])).toEqual([3, 2]);
      const failing = s.spawn(() => Promise.reject(error), { onFailure: 'isolate' });
      expect(await rejection(failing.then(() => {}).finally(() => {}))).toBe(error);
      expect(
        await failing
          .finally(() => {})
          .then(() => {})
          .catch((caught) => caught),
      ).toBe(error);
    });
  });
});
