import { runInNewContext } from 'node:vm';
import { broadcast } from '@quiesce/broadcast-channel';
import { CancellationToken, CancelledError, TimeoutError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { select, sleep, timeout, timeoutAt } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { cancelled, deferred, never, Probe, rejection, turn } from './vocabulary.ts';

const error = new Error('own');

/** Runs on a virtual clock, and says how it ended and when. */
async function timed(run: (clock: VirtualClock) => Promise<unknown>): Promise<[result: unknown, at: number]> {
  const clock = new VirtualClock(1_000);
  const result = await clock.run(() => run(clock).catch((caught: unknown) => ({ caught })));
  expect(clock.pending).toBe(0);
  return [result, clock.now()];
}

const timedOut = (ms: number) => ({ caught: expect.objectContaining({ name: 'TimeoutError', code: 'ETIMEDOUT', ms }) });

describe('timeout of a function', () => {
  it('gives its value when that comes in time', async () => {
    expect(await timed((clock) => timeout(10, () => sleep(5, { clock }).then(() => 'done'), { clock }))).toEqual([
      'done',
      5,
    ]);
    expect(await timed((clock) => timeout(10, () => 'plain', { clock }))).toEqual(['plain', 0]);
  });

  it('cancels it at the deadline with a TimeoutError, and awaits it', async () => {
    const log: string[] = [];
    const [result, at] = await timed((clock) => {
      const work = async (token: CancellationToken): Promise<never> => {
        await token.cancelled();
        log.push(String(token.reason));
        await sleep(30, { clock });
        throw token.reason;
      };
      return timeout(10, work, { clock });
    });
    expect([result, at, log]).toEqual([timedOut(10), 40, ['TimeoutError: Timed out after 10 ms']]);
  });

  it('gives the value that it fulfils with all the same', async () => {
    const late = (clock: VirtualClock) => async (token: CancellationToken) => {
      await token.cancelled();
      await sleep(5, { clock });
      return 'late';
    };
    expect(await timed((clock) => timeout(10, late(clock), { clock }))).toEqual(['late', 15]);
  });

  it('rejects with its own error, before the deadline and after', async () => {
    const fails = (clock: VirtualClock, ms: number) => () => sleep(ms, { clock }).then(() => Promise.reject(error));
    expect(await timed((clock) => timeout(10, fails(clock, 5), { clock }))).toEqual([{ caught: error }, 5]);
    expect(await timed((clock) => timeout(10, fails(clock, 15), { clock }))).toEqual([{ caught: error }, 15]);
  });

  it.each([
    ['an AbortError', () => new DOMException('aborted', 'AbortError')],
    ['its reason', (token: CancellationToken) => token.reason],
  ])('rejects with the TimeoutError when it obeys with %s', async (_, make) => {
    const work = async (token: CancellationToken): Promise<never> => {
      await token.cancelled();
      throw make(token);
    };
    expect(await timed((clock) => timeout(10, work, { clock }))).toEqual([timedOut(10), 10]);
  });

  it('rejects with an error of its own after the deadline, also with the reason as its cause', async () => {
    const failure = new Error('rollback failed');
    const work = async (token: CancellationToken): Promise<never> => {
      await token.cancelled();
      throw Object.assign(failure, { cause: token.reason });
    };
    expect(await timed((clock) => timeout(10, work, { clock }))).toEqual([{ caught: failure }, 10]);
  });

  it('tells it the deadline', async () => {
    const [result] = await timed((clock) => timeout(10, async (token) => token.deadline?.getTime(), { clock }));
    expect(result).toBe(1_010);
  });

  it('starts it also when there is no time', async () => {
    expect(await timed((clock) => timeout(0, () => 'quick', { clock }))).toEqual(['quick', 0]);
    const obeys = async (token: CancellationToken): Promise<never> => {
      await token.cancelled();
      throw token.reason;
    };
    expect(await timed((clock) => timeout(0, obeys, { clock }))).toEqual([timedOut(0), 0]);
  });

  it('passes a cancellation from outside on, with its reason', async () => {
    const stop = new CancellationToken();
    const [result, at] = await timed(async (clock) => {
      const work = (token: CancellationToken) => token.cancelled().then(() => Promise.reject(token.reason));
      const running = timeout(10, work, { clock, signal: stop });
      stop.cancel('stop');
      return running;
    });
    expect([result, at]).toEqual([{ caught: 'stop' }, 0]);
  });

  it('does not start it when it is cancelled already', async () => {
    let started = false;
    const work = () => (started = true);
    expect(await rejection(timeout(10, work, { signal: cancelled('before') }))).toBe('before');
    expect(started).toBe(false);
  });

  it('is a branch of a select, which cancels it', async () => {
    const [result] = await timed((clock) =>
      select({
        work: (token) =>
          timeout(10, (inner) => inner.cancelled().then(() => Promise.reject(inner.reason)), { clock, signal: token }),
        tick: sleep(5, { clock }),
      }),
    );
    expect(result).toEqual({ branch: 'tick', value: undefined });
  });
});

describe('timeout of a promise', () => {
  it('gives its value or its error', async () => {
    expect(
      await timed((clock) =>
        timeout(
          10,
          sleep(5, { clock }).then(() => 1),
          { clock },
        ),
      ),
    ).toEqual([1, 5]);
    expect(await timed((clock) => timeout(10, Promise.reject(error), { clock }))).toEqual([{ caught: error }, 0]);
  });

  it('rejects at the deadline, and leaves the promise alone', async () => {
    const { promise, reject } = deferred();
    expect(await timed((clock) => timeout(10, promise, { clock }))).toEqual([timedOut(10), 10]);
    reject(error);
    await turn();
    expect(await rejection(promise)).toBe(error);
  });

  it('that has settled goes before a deadline that is due', async () => {
    expect(await timed((clock) => timeout(0, Promise.resolve('there'), { clock }))).toEqual(['there', 0]);
  });

  it('can be given up', async () => {
    const stop = new AbortController();
    const waiting = timeout(1_000_000, never(), { signal: stop.signal });
    stop.abort('stop');
    expect(await rejection(waiting)).toBe('stop');
  });
});

describe('timeout of a source', () => {
  it('takes one value from it, and none when it is late', async () => {
    const probe = new Probe<number>();
    const clock = new VirtualClock();
    const first = timeout(10, probe, { clock });
    probe.push(1);
    expect(await first).toBe(1);
    const second = rejection(timeout(10, probe, { clock }));
    await clock.advance(10);
    expect(await second).toBeInstanceOf(TimeoutError);
    probe.push(2);
    expect([probe.values, probe.waiters.size, clock.pending]).toEqual([[2], 0, 0]);
  });

  it('is a receive with a time limit, which loses nothing', async () => {
    const [tx, rx] = broadcast<string>(4);
    const clock = new VirtualClock();
    const late = rejection(timeout(10, rx, { clock }));
    await clock.advance(10);
    expect(await late).toBeInstanceOf(TimeoutError);
    tx.send('a');
    expect(await timeout(0, rx, { clock })).toBe('a');
  });

  it('takes a token and a signal', async () => {
    expect(await timeout(10, cancelled('reason'))).toBe('reason');
    expect(await timeout(10, AbortSignal.abort('aborted'))).toBe('aborted');
  });
});

describe('timeoutAt', () => {
  it('waits until a time of day', async () => {
    const work = (token: CancellationToken) => token.cancelled().then(() => Promise.reject(token.reason));
    expect(await timed((clock) => timeoutAt(new Date(1_025), work, { clock }))).toEqual([timedOut(25), 25]);
    expect(await timed((clock) => timeoutAt(new Date(1_025), never(), { clock }))).toEqual([timedOut(25), 25]);
  });

  it('of a time that has passed is one of 0 ms, and what is ready goes before it', async () => {
    expect(await timed((clock) => timeoutAt(new Date(5), never(), { clock }))).toEqual([timedOut(0), 0]);
    expect(await timed((clock) => timeoutAt(new Date(5), Promise.resolve(1), { clock }))).toEqual([1, 0]);
  });

  it('refuses what is no date', async () => {
    expect(await rejection(timeoutAt(new Date(Number.NaN), never()))).toBeInstanceOf(RangeError);
    expect(await rejection(timeoutAt(5 as never, never()))).toBeInstanceOf(RangeError);
  });
});

describe('timeout refuses, as a rejection,', () => {
  it.each([
    ['a negative time', -1, never(), undefined, RangeError],
    ['no time', Number.NaN, never(), undefined, RangeError],
    ['a time that is no number', '5', never(), undefined, RangeError],
    ['work that is none', 5, 5, undefined, TypeError],
    ['work that is off', 5, false, undefined, TypeError],
    ['a signal that is none', 5, never(), { signal: new AbortController() }, TypeError],
  ])('%s', async (_, ms, work, options, type) => {
    expect(await rejection(timeout(ms as number, work as never, options as never))).toBeInstanceOf(type);
  });

  it('and a time without end is none', async () => {
    expect(
      await timeout(
        Number.POSITIVE_INFINITY,
        turn().then(() => 1),
      ),
    ).toBe(1);
    expect(await timeout(2 ** 40, async () => 2)).toBe(2);
  });

  it('and takes cancellation of its work before the deadline for a failure', async () => {
    const own = new CancelledError('own');
    expect(await rejection(timeout(1_000, () => Promise.reject(own)))).toBe(own);
  });
});

describe('the stack of a TimeoutError', () => {
  it.each<[string, () => Promise<unknown>]>([
    [
      'of a promise',
      function whoWaits() {
        return timeout(1, new Promise(() => {}));
      },
    ],
    [
      'of a promise that is awaited',
      async function whoWaits() {
        await timeout(1, new Promise(() => {}));
      },
    ],
    [
      'of a source, to a date',
      async function whoWaits() {
        await timeoutAt(new Date(Date.now() + 1), new CancellationToken());
      },
    ],
    [
      'of a function that throws its reason',
      async function whoWaits() {
        await timeout(1, async (token) => {
          await token.cancelled();
          throw token.reason;
        });
      },
    ],
    [
      'of a function that gives its signal to the platform',
      async function whoWaits() {
        await timeout(
          1,
          ({ signal }) =>
            new Promise((_, reject) => {
              // On a busy machine the millisecond may be over.
              signal.throwIfAborted();
              signal.addEventListener('abort', () => reject(signal.reason));
            }),
        );
      },
    ],
  ])('%s shows who waited', async (_, wait) => {
    const error = (await rejection(wait())) as Error;
    expect(error).toBeInstanceOf(TimeoutError);
    expect(error.stack).toContain('whoWaits');
  });
});

it('timeoutAt takes a date of another realm', async () => {
  const date: Date = runInNewContext('new Date(Date.now() + 60_000)');
  expect(await timeoutAt(date, async () => 'done')).toBe('done');
});
