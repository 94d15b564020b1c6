import { CancellationToken, CancelledError, RetryError, TimeoutError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { type Retry, type RetryOptions, retry, sleep } from '@quiesce/select';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cancelled, rejection } from './vocabulary.ts';

const offline = new Error('offline');

/** Runs a retry on a virtual clock: returns its result, the start time of each attempt, and its end. */
async function timed(
  work: (token: CancellationToken, attempt: number, clock: VirtualClock) => unknown,
  options: RetryOptions = {},
) {
  const clock = new VirtualClock();
  const starts: number[] = [];
  const run = (token: CancellationToken, attempt: number): unknown => {
    starts.push(clock.now());
    return work(token, attempt, clock);
  };
  const result = await clock.run(() =>
    retry(run, { jitter: 'none', clock, ...options }).then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    ),
  );
  expect(clock.pendingCount).toBe(0);
  return { result, starts, end: clock.now() };
}

const failing = (until: number) => async (_: CancellationToken, attempt: number) => {
  if (attempt < until) throw offline;
  return `attempt ${attempt}`;
};

describe('retry', () => {
  it('returns the first value, after delays that double up to `maxDelay`', async () => {
    const { result, starts } = await timed(failing(6), { attempts: 9, maxDelay: 500 });
    expect(result).toEqual({ value: 'attempt 6' });
    expect(starts).toEqual([0, 100, 300, 700, 1_200, 1_700]);
  });

  it('takes other delays and factors, and no delay at all', async () => {
    expect((await timed(failing(4), { attempts: 4, delay: 10, factor: 3 })).starts).toEqual([0, 10, 40, 130]);
    expect((await timed(failing(4), { attempts: 4, delay: 10, factor: 1 })).starts).toEqual([0, 10, 20, 30]);
    expect((await timed(failing(4), { attempts: 4, delay: 0, factor: 1e300 })).starts).toEqual([0, 0, 0, 0]);
  });

  it('rejects with all errors when the attempts are used up, and the last one is the cause', async () => {
    const errors = [new Error('one'), new Error('two'), new Error('three')];
    const { result } = await timed((_, attempt) => Promise.reject(errors[attempt - 1]));
    const { error } = result as { error: RetryError };
    expect(error).toBeInstanceOf(RetryError);
    expect(error).toMatchObject({ name: 'RetryError', code: 'ERR_RETRY', attemptCount: 3, cause: errors[2] });
    expect(error.errors).toEqual(errors);
    expect(error.message).toBe('retry: 3 attempts failed; the last error: Error: three');
  });

  it('keeps the last hundred errors of an endless retry', async () => {
    const { result } = await timed((_, attempt) => Promise.reject(attempt), { attempts: 250, delay: 0 });
    const { error } = result as { error: RetryError };
    expect([error.errors.length, error.errors[0], error.cause, error.attemptCount]).toEqual([100, 151, 250, 250]);
  });

  it('draws the jitter from `random`, so that a seed repeats a run', async () => {
    const draws = [0.5, 0, 0.999];
    const options = { attempts: 4, jitter: 'full', random: () => draws.shift() ?? 0 } as const;
    expect((await timed(failing(4), options)).starts).toEqual([0, 50, 50, 449.6]);
  });

  it('rejects when `random` returns no number from 0 to below 1', async () => {
    const { result } = await timed(failing(2), { jitter: 'full', random: () => 1 });
    expect(result).toEqual({
      error: new RangeError('retry: random must return a number from 0 to below 1, got the number 1'),
    });
  });

  it('throws an error that `retryIf` refuses verbatim, also after other attempts', async () => {
    const denied = new Error('denied');
    const seen: number[] = [];
    const work = (_: CancellationToken, attempt: number) => Promise.reject(attempt < 3 ? offline : denied);
    const { result, starts } = await timed(work, {
      attempts: 9,
      retryIf: (error, attempt) => {
        seen.push(attempt);
        return error === offline;
      },
    });
    expect([result, starts.length, seen]).toEqual([{ error: denied }, 3, [1, 2, 3]]);
  });

  it('refuses a `retryIf` that returns a promise, which would count as true', async () => {
    const retryIf = (async () => false) as unknown as () => boolean;
    const { result, starts } = await timed(failing(9), { retryIf });
    expect(String((result as { error: unknown }).error)).toBe(
      'TypeError: retry: retryIf: expected true or false, got a Promise; it must not be async',
    );
    expect(starts).toEqual([0]);
  });

  it('does not repeat work that ended by a cancellation of its own', async () => {
    const stopped = new CancelledError('the user closed the dialog');
    expect(await timed(() => Promise.reject(stopped))).toMatchObject({ result: { error: stopped }, starts: [0] });
  });

  it('catches work that throws synchronously', async () => {
    const work = () => {
      throw offline;
    };
    expect((await timed(work, { attempts: 2 })).starts).toEqual([0, 100]);
  });

  it('calls `onRetry` with the error and the delay before each further attempt', async () => {
    const retries: Retry[] = [];
    await timed(failing(3), { onRetry: (next) => retries.push(next) });
    expect(retries).toEqual([
      { attempt: 1, error: offline, delayMs: 100 },
      { attempt: 2, error: offline, delayMs: 200 },
    ]);
  });

  it('starts synchronously', () => {
    let isStarted = false;
    void retry(() => {
      isStarted = true;
    });
    expect(isStarted).toBe(true);
  });
});

describe('a total time of 0', () => {
  it('starts nothing, and counts no attempt', async () => {
    const { result, starts } = await timed(failing(9), { totalTimeout: 0 });
    expect(result).toMatchObject({ error: { name: 'RetryError', attemptCount: 0, errors: [] } });
    expect(starts).toEqual([]);
  });
});

describe('the time limit of an attempt', () => {
  it('cancels the attempt, awaits it, and tries again', async () => {
    const log: string[] = [];
    const { result, starts, end } = await timed(
      async (token, attempt, clock) => {
        if (attempt === 2) return 'quick';
        await token.cancelled();
        log.push(String(token.reason));
        await sleep(7, { clock });
        throw token.reason;
      },
      { timeout: 50 },
    );
    expect([result, starts, end, log]).toEqual([
      { value: 'quick' },
      [0, 157],
      157,
      ['TimeoutError: Timed out after 50 ms'],
    ]);
  });

  it('keeps its TimeoutError among the errors', async () => {
    const { result } = await timed((token) => token.cancelled().then(() => token.throwIfCancelled()), {
      timeout: 5,
      attempts: 2,
    });
    expect((result as { error: RetryError }).error.errors).toEqual([
      expect.any(TimeoutError),
      expect.any(TimeoutError),
    ]);
  });
});

describe('the total time limit', () => {
  it('cancels the attempt that runs, and rejects with all errors', async () => {
    const work = (token: CancellationToken, attempt: number) =>
      attempt === 1 ? Promise.reject(offline) : token.cancelled().then(() => token.throwIfCancelled());
    const { result, end } = await timed(work, { totalTimeout: 400, attempts: 9 });
    const { error } = result as { error: RetryError };
    expect([end, error.errors, error.attemptCount]).toEqual([400, [offline, expect.any(TimeoutError)], 2]);
    expect(error.message).toMatch(/^retry: 2 attempts failed, and it gave up after 400 ms; /);
  });

  it('ends at once when the next delay would end after it', async () => {
    const { result, end } = await timed(failing(9), { totalTimeout: 250, attempts: 9 });
    expect([end, (result as { error: RetryError }).error.attemptCount]).toEqual([100, 2]);
  });

  it('does not replace a value that the attempt still returns', async () => {
    const work = (token: CancellationToken) => token.cancelled().then(() => 'partial');
    expect((await timed(work, { totalTimeout: 5 })).result).toEqual({ value: 'partial' });
  });
});

describe('the signal', () => {
  it('keeps the first attempt from starting when it is cancelled already', async () => {
    expect(await timed(failing(1), { signal: cancelled('stop') })).toEqual({
      result: { error: 'stop' },
      starts: [],
      end: 0,
    });
  });

  it.each([
    ['a token', () => new CancellationToken()],
    ['an AbortSignal', () => new AbortController()],
  ])('of %s ends a delay, and leaves no timer', async (_, make) => {
    const clock = new VirtualClock();
    const source = make();
    const signal = source instanceof AbortController ? source.signal : source;
    const running = retry(failing(9), { delay: 1_000, jitter: 'none', clock, signal });
    const ended = rejection(running);
    await clock.advance(10);
    expect(clock.pendingCount).toBe(1);
    if (source instanceof AbortController) source.abort('deploy');
    else source.cancel('deploy');
    expect(await ended).toBe('deploy');
    expect(clock.pendingCount).toBe(0);
  });

  it('awaits the attempt that runs; its own error is thrown, and it is not repeated', async () => {
    const signal = new CancellationToken();
    const broken = new Error('rollback failed');
    const { result, starts, end } = await timed(
      async (token, _, clock) => {
        void Promise.resolve().then(() => signal.cancel('deploy'));
        await token.cancelled();
        await sleep(30, { clock });
        throw broken;
      },
      { signal },
    );
    expect([result, starts, end]).toEqual([{ error: broken }, [0], 30]);
  });

  it('wins over the wrapped reason: an attempt that rethrows its token’s reason rejects with the reason of the signal', async () => {
    const signal = new CancellationToken();
    const work = async (token: CancellationToken) => {
      signal.cancel('deploy');
      token.throwIfCancelled();
    };
    expect((await timed(work, { signal })).result).toEqual({ error: 'deploy' });
  });
});

it('never starts an attempt after a cancellation, and never overlaps two, at any time', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 0, max: 300 }),
      async (durations, cancelAt) => {
        const clock = new VirtualClock();
        const signal = new CancellationToken();
        let runningCount = 0;
        const work = async (_: CancellationToken, attempt: number) => {
          expect([signal.isCancelled, runningCount]).toEqual([false, 0]);
          runningCount++;
          await sleep(durations[attempt - 1] ?? 1, { clock });
          runningCount--;
          throw offline;
        };
        const options = { attempts: durations.length, delay: 20, jitter: 'none', timeout: 15, clock, signal } as const;
        const ended = rejection(retry(work, options));
        await clock.advance(cancelAt);
        const wasCancelled = signal.cancel('stop');
        await clock.advance(1_000);
        const error = await ended;
        expect([runningCount, clock.pendingCount]).toEqual([0, 0]);
        expect(error === 'stop' || error === offline || error instanceof RetryError).toBe(true);
        if (!wasCancelled) expect(error).toBeInstanceOf(RetryError);
      },
    ),
  );
});
