// Work that ends because of a scope's `stopSignal` counts as cancelled, and not as failed.
import { setTimeout as delay } from 'node:timers/promises';
import { CancellationToken } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { JoinSet, Scope, scope } from '@quiesce/scope';
import { select, sleep } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { rejection } from './vocabulary.ts';

/** The ways to wait that a stop signal ends with an error. */
const waits: Record<string, (stop: CancellationToken) => Promise<unknown>> = {
  'timers/promises': (stop) => delay(1e6, undefined, { signal: stop.signal }),
  throwIfCancelled: async (stop) => {
    await stop.cancelled();
    stop.throwIfCancelled();
  },
  select: (stop) => select({ never: new Promise(() => {}) }, { signal: stop }),
  'a nested scope': (stop) =>
    scope(async (s) => s.token.cancelled(), { signal: stop }).then(() => stop.throwIfCancelled()),
  'a chain of AbortControllers': async (stop) => {
    const controller = new AbortController();
    stop.onCancelled((reason) => controller.abort(reason));
    const any = AbortSignal.any([controller.signal, new AbortController().signal]);
    await delay(1e6, undefined, { signal: any });
  },
  'an AbortError without a cause': async (stop) => {
    await stop.cancelled();
    throw new DOMException('polling was aborted', 'AbortError');
  },
  'Promise.any of two': (stop) => Promise.any([waits['select']?.(stop), waits['timers/promises']?.(stop)]),
  'the CanceledError of axios': async (stop) => {
    await stop.cancelled();
    throw Object.assign(new Error('canceled'), { name: 'CanceledError', code: 'ERR_CANCELED' });
  },
};

/** The places of such work, beside a job that takes 300 ms. */
const places: Record<
  string,
  (s: Scope, wait: () => Promise<unknown>, job: (token: CancellationToken) => Promise<void>) => unknown
> = {
  'a task': (s, wait, job) => {
    s.spawn(wait);
    s.spawn(job);
  },
  'the body': (s, wait, job) => {
    s.spawn(job);
    return wait();
  },
  'a task of a nested scope': (s, wait, job) => {
    const inner = (nested: Scope): void => {
      nested.spawn(wait);
      nested.spawn(job);
    };
    s.spawn((signal) => scope(inner, { signal }));
  },
  'an item of a map': (s, wait, job) => s.map([wait, job], (work, token) => work(token)),
  'a task of a set that is joined at once': async (s, wait, job) => {
    const set = new JoinSet<unknown>({ signal: s.token });
    set.spawn(wait);
    set.spawn(job);
    await set.joinAll();
  },
  'a task of a scope that a library made without a signal': (s, wait, job) => {
    s.spawn(() =>
      scope((own) => {
        own.spawn(wait);
        own.spawn(job);
      }),
    );
  },
  'a task of a new Scope without a signal': async (_, wait, job) => {
    await using own = new Scope();
    own.spawn(wait);
    own.spawn(job);
    await own.join();
  },
  'the body of a scope without a signal': (s, wait, job) => {
    s.spawn(() =>
      scope((own) => {
        own.spawn(job);
        return wait();
      }),
    );
  },
  'an item of a map in a scope without a signal': (s, wait, job) =>
    s.spawn(() => scope((own) => own.map([wait, job], (work, token) => work(token)))),
  'a task of a JoinSet without a signal': async (_, wait, job) => {
    const set = new JoinSet<unknown>();
    set.spawn(wait);
    set.spawn(job);
    for await (const { status } of set) expect(status).not.toBe('rejected');
  },
  'a task of a JoinSet': async (s, wait, job) => {
    const set = new JoinSet<unknown>({ signal: s.token });
    set.spawn(wait);
    set.spawn(job);
    for await (const { status } of set) expect(status).not.toBe('rejected');
  },
};

/** Aborts without a cause: only the scopes below the stop signal treat them as its end. */
const anonymous = ['an AbortError without a cause', 'the CanceledError of axios'];

describe('a stop signal', () => {
  for (const reason of [undefined, 'deploy', new Error('deploy')])
    for (const [how, wait] of Object.entries(waits))
      for (const [where, start] of Object.entries(places)) {
        if (where.includes('without a signal') && anonymous.includes(how)) continue;
        it(`lets the others continue when ${how} in ${where} ends by it (reason: ${String(reason)})`, async () => {
          const clock = new VirtualClock();
          const stop = new CancellationToken();
          let isJobDone = false;
          const job = async (token: CancellationToken): Promise<void> => {
            const { branch } = await select({ cut: token, done: sleep(300, { clock }) });
            isJobDone = branch === 'done';
          };
          const done = scope((s) => start(s, () => wait(stop), job), { stopSignal: stop });
          const ended = done.then(
            () => 'fulfilled',
            (error) => (isJobDone ? error : `${error} too early`),
          );
          await delay(0);
          stop.cancel(reason);
          await delay(0);
          expect(isJobDone).toBe(false);
          await clock.advance(300);
          expect(isJobDone).toBe(true);
          const outcome = await ended;
          // A stopped body or map has no value, so it rejects with the error that ended it.
          if (outcome !== 'fulfilled') expect(where).toMatch(/^the body$|an item of a map|joined at once/);
        });
      }

  it('makes no failure of other work a normal end, cancelled or not', async () => {
    const stop = CancellationToken.alreadyCancelled('deploy');
    const failure = new Error('disk full');
    const wrapped = new Error('rollback failed', { cause: stop.reason });
    for (const error of [failure, wrapped, 'another reason']) {
      const done = scope((s) => void s.spawn(() => Promise.reject(error)), { stopSignal: stop });
      expect(await rejection(done)).toBe(error);
    }
  });

  it('makes no failure in a scope without a signal a normal end, even while it is cancelled', async () => {
    const stop = CancellationToken.alreadyCancelled(new Error('deploy'));
    await scope(
      async () => {
        const wrapped = new Error('rollback failed', { cause: stop.reason });
        const aborts = [new DOMException('not ours', 'AbortError'), new AggregateError([stop.reason, wrapped])];
        const circle = Object.assign(new DOMException('not ours', 'AbortError'), { cause: {} });
        circle.cause = circle;
        for (const error of [wrapped, circle, ...aborts, { name: 'AbortError', cause: wrapped }, undefined]) {
          const alone = scope((s) => void s.spawn(() => Promise.reject(error)));
          expect(
            await alone.then(
              () => 'fulfilled',
              (thrown) => thrown,
            ),
          ).toBe(error);
        }
      },
      { stopSignal: stop },
    );
  });

  it('is a normal end in scopes without a signal only while its own scope is open', async () => {
    const stop = CancellationToken.alreadyCancelled('deploy');
    const alone = (): Promise<void> => scope((s) => void s.spawn(() => Promise.reject('deploy')));
    await scope(() => scope(alone, { stopSignal: stop }).then(alone), { stopSignal: stop });
    expect(await rejection(alone())).toBe('deploy');
  });

  it('counts only once it is cancelled, and only in the scopes below its own', async () => {
    const stop = new CancellationToken();
    const abort = new DOMException('not ours', 'AbortError');
    const failing = (s: Scope): void => void s.spawn(() => Promise.reject(abort));
    expect(await rejection(scope(failing, { stopSignal: stop }))).toBe(abort);
    stop.cancel();
    expect(await rejection(scope(failing))).toBe(abort);
    await scope(failing, { stopSignal: stop });
  });

  it('that ends a body is the reason with which the scope rejects', async () => {
    const stop = new CancellationToken();
    const done = scope(() => waits['throwIfCancelled']?.(stop), { stopSignal: stop.signal });
    stop.cancel('deploy');
    expect(await rejection(done)).toBe('deploy');
  });
});
