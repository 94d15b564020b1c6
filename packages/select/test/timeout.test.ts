import { runInNewContext } from 'node:vm';
import { broadcast } from '@quiesce/broadcast-channel';
import { CancellationToken, CancelledError, TimeoutError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { select, sleep, timeout, timeoutAt } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { cancelled, deferred, never, Probe, rejection, turn } from './vocabulary.ts';

const error = new Error('own');

/** Runs on a virtual clock, and returns how and when it ended. */
async function timed(run: (clock: VirtualClock) => Promise<unknown>): Promise<[result: unknown, at: number]> {
  const clock = new VirtualClock(1_000);
  const result = await clock.run(() => run(clock).catch((caught: unknown) => ({ caught })));
  expect(clock.pendingCount).toBe(0);
  return [result, clock.now()];
}

const timedOut = (ms: number) => ({
  caught: expect.objectContaining({ name: 'TimeoutError', code: 'ERR_TIMEOUT', ms }),
});

describe('timeout of a function', () => {
  it('returns its value when it fulfils in time', async () => {
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

  it('returns the value that it still fulfils with', async () => {
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
  ])('rejects with the TimeoutError when the function ends with %s', async (_, make) => {
    const work = async (token: CancellationToken): Promise<never> => {
      await token.cancelled();
      throw make(token);
    };
    expect(await timed((clock) => timeout(10, work, { clock }))).toEqual([timedOut(10), 10]);
  });

  it('rejects with an error of its own after the deadline, even with the reason as its cause', async () => {
    const failure = new Error('rollback failed');
    const work = async (token: CancellationToken): Promise<never> => {
      await token.cancelled();
      throw Object.assign(failure, { cause: token.reason });
    };
    expect(await timed((clock) => timeout(10, work, { clock }))).toEqual([{ caught: failure }, 10]);
  });

  it('passes it the deadline, with its token', async () => {
    const [result] = await timed((clock) => timeout(10, async (token) => token.deadline?.getTime(), { clock }));
    expect(result).toBe(1_010);
  });

  it('starts it even if the time is 0', async () => {
    expect(await timed((clock) => timeout(0, () => 'quick', { clock }))).toEqual(['quick', 0]);
    const obeys = async (token: CancellationToken): Promise<never> => {
      await token.cancelled();
      throw token.reason;
    };
    expect(await timed((clock) => timeout(0, obeys, { clock }))).toEqual([timedOut(0), 0]);
  });

  it('forwards a cancellation of its signal, with the reason', async () => {
    const stop = new CancellationToken();
    const [result, at] = await timed(async (clock) => {
      const work = (token: CancellationToken) => token.cancelled().then(() => Promise.reject(token.reason));
      const running = timeout(10, work, { clock, signal: stop });
      stop.cancel('stop');
      return running;
    });
    expect([result, at]).toEqual([{ caught: 'stop' }, 0]);
  });

  it('does not start it when its signal is already cancelled', async () => {
    let started = false;
    const work = () => (started = true);
    expect(await rejection(timeout(10, work, { signal: cancelled('before') }))).toBe('before');
    expect(started).toBe(false);
  });

  it('can be a branch of a select, which cancels it', async () => {
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
  it('returns its value or throws its error', async () => {
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

  it('rejects at the deadline, and leaves the promise untouched', async () => {
    const { promise, reject } = deferred();
    expect(await timed((clock) => timeout(10, promise, { clock }))).toEqual([timedOut(10), 10]);
    reject(error);
    await turn();
    expect(await rejection(promise)).toBe(error);
  });

  it('returns the value of a settled promise even if the deadline has passed', async () => {
    expect(await timed((clock) => timeout(0, Promise.resolve('there'), { clock }))).toEqual(['there', 0]);
  });

  it('can be given up by its signal', async () => {
    const stop = new AbortController();
    const waiting = timeout(1_000_000, never(), { signal: stop.signal });
    stop.abort('stop');
    expect(await rejection(waiting)).toBe('stop');
  });
});

describe('timeout of a source', () => {
  it('takes one value from it, and no value when it is late', async () => {
    const probe = new Probe<number>();
    const clock = new VirtualClock();
    const first = timeout(10, probe, { clock });
    probe.push(1);
    expect(await first).toBe(1);
    const second = rejection(timeout(10, probe, { clock }));
    await clock.advance(10);
    expect(await second).toBeInstanceOf(TimeoutError);
    probe.push(2);
    expect([probe.values, probe.waiters.size, clock.pendingCount]).toEqual([[2], 0, 0]);
  });

  it('is a receive with a time limit, which loses no value', async () => {
    const [tx, rx] = broadcast<string>(4);
    const clock = new VirtualClock();
    const late = rejection(timeout(10, rx, { clock }));
    await clock.advance(10);
    expect(await late).toBeInstanceOf(TimeoutError);
    tx.send('a');
    expect(await timeout(0, rx, { clock })).toBe('a');
  });

  it('accepts a token and a signal', async () => {
    expect(await timeout(10, cancelled('reason'))).toBe('reason');
    expect(await timeout(10, AbortSignal.abort('aborted'))).toBe('aborted');
  });
});

describe('timeoutAt', () => {
  it('waits until a date', async () => {
    const work = (token: CancellationToken) => token.cancelled().then(() => Promise.reject(token.reason));
    expect(await timed((clock) => timeoutAt(new Date(1_025), work, { clock }))).toEqual([timedOut(25), 25]);
    expect(await timed((clock) => timeoutAt(new Date(1_025), never(), { clock }))).toEqual([timedOut(25), 25]);
  });

  it('has a time of 0 ms for a date in the past, and a ready source still wins', async () => {
    expect(await timed((clock) => timeoutAt(new Date(5), never(), { clock }))).toEqual([timedOut(0), 0]);
    expect(await timed((clock) => timeoutAt(new Date(5), Promise.resolve(1), { clock }))).toEqual([1, 0]);
  });

  it('throws for a value that is no date', async () => {
    expect(await rejection(timeoutAt(new Date(Number.NaN), never()))).toBeInstanceOf(RangeError);
    expect(await rejection(timeoutAt(5 as never, never()))).toBeInstanceOf(TypeError);
  });
});

describe('timeout rejects for', () => {
  it.each([
    ['a negative time', -1, never(), undefined, RangeError],
    ['a time of NaN', Number.NaN, never(), undefined, RangeError],
    ['a time that is not a number', '5', never(), undefined, TypeError],
    ['work of a wrong type', 5, 5, undefined, TypeError],
    ['work that is off', 5, false, undefined, TypeError],
    ['a wrong signal', 5, never(), { signal: new AbortController() }, TypeError],
  ])('%s', async (_, ms, work, options, type) => {
    expect(await rejection(timeout(ms as number, work as never, options as never))).toBeInstanceOf(type);
  });

  it('and has no limit with a time of Infinity', async () => {
    expect(
      await timeout(
        Number.POSITIVE_INFINITY,
        turn().then(() => 1),
      ),
    ).toBe(1);
    expect(await timeout(2 ** 40, async () => 2)).toBe(2);
  });

  it('and treats a cancellation of its work before the deadline as a failure', async () => {
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
      'of a function that passes its signal to the platform',
      async function whoWaits() {
        await timeout(
          1,
          ({ signal }) =>
            new Promise((_, reject) => {
              // On a busy machine the millisecond may have passed.
              signal.throwIfAborted();
              signal.addEventListener('abort', () => reject(signal.reason));
            }),
        );
      },
    ],
  ])('%s shows the code that waited', async (_, wait) => {
    const error = (await rejection(wait())) as Error;
    expect(error).toBeInstanceOf(TimeoutError);
    expect(error.stack).toContain('whoWaits');
  });
});

it('timeoutAt accepts a date of another realm', async () => {
  const date: Date = runInNewContext('new Date(Date.now() + 60_000)');
  expect(await timeoutAt(date, async () => 'done')).toBe('done');
});

describe('below a deadline that is renewed', () => {
  const lost = new Error('lost');

  it('`select` waits on its token until the last deadline, and leaves nothing', async () => {
    const clock = new VirtualClock();
    const lease = new CancellationToken().renewable(100, { clock, reason: () => lost });
    const selecting = select({ lost: lease.token, never: never() });
    await clock.advance(90);
    lease.renew(1_000);
    const ticking = select({ lost: lease.token, tick: sleep(200, { clock }) });
    await clock.advance(200);
    expect((await ticking).branch).toBe('tick');
    lease.renew(10);
    await clock.advance(10);
    expect(await selecting).toMatchObject({ branch: 'lost', value: lost });
    expect([clock.now(), clock.pendingCount]).toEqual([300, 0]);
  });

  it('`timeout` keeps its own limit, although it is later at first', async () => {
    const clock = new VirtualClock();
    const lease = new CancellationToken().renewable(100, { clock, reason: () => lost });
    const run = () =>
      rejection(
        timeout(500, (token) => token.cancelled().then(() => token.throwIfCancelled()), { clock, signal: lease.token }),
      );
    const own = run();
    await clock.advance(90);
    lease.renew(10_000);
    await clock.advance(410);
    expect(await own).toMatchObject({ name: 'TimeoutError', ms: 500 });
    const inherited = run();
    await clock.advance(0);
    lease.renew(50);
    await clock.advance(50);
    expect([await inherited, clock.pendingCount]).toEqual([lost, 0]);
  });
});
