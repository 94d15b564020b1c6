import { CancellationToken, isTimeoutError, setUncaughtHandler, TimeoutError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { moveOnAfter, sleep, timeout, timeoutAt } from '@quiesce/select';
import { afterEach, describe, expect, it, vi } from 'vitest';

const clock = new VirtualClock();
const until = (ms: number) => sleep(ms, { clock });

afterEach(() => {
  vi.restoreAllMocks();
});

describe('a timeout with `abandon`', () => {
  it('ends at the deadline, cancels the token of the function, and lets it keep running', async () => {
    let token: CancellationToken | undefined;
    const work = async (given: CancellationToken) => {
      token = given;
      await until(4_000);
      return 'rows';
    };
    const late: unknown[] = [];
    const begun = clock.now();
    const error = await clock.run(() =>
      timeout(500, work, { clock, abandon: (end) => late.push(end) }).catch((e) => e),
    );
    expect([isTimeoutError(error), clock.now() - begun, token?.isCancelled, late]).toEqual([true, 500, true, []]);
    await clock.advance(4_000);
    expect(late).toEqual([{ status: 'fulfilled', value: 'rows' }]);
    expect(clock.pendingCount).toBe(0);
  });

  it('returns the value or the error of a function that settles in time', async () => {
    const abandon = vi.fn();
    expect(await timeout(500, async () => 'rows', { clock, abandon })).toBe('rows');
    await expect(timeout(500, () => Promise.reject('no table'), { clock, abandon })).rejects.toBe('no table');
    await expect(
      timeout(
        500,
        () => {
          throw 'at once';
        },
        { clock, abandon },
      ),
    ).rejects.toBe('at once');
    expect(abandon).not.toHaveBeenCalled();
    expect(clock.pendingCount).toBe(0);
  });

  it('reports a late failure, but not the cancellation of the function', async () => {
    const late: unknown[] = [];
    const options = { clock, abandon: (end: PromiseSettledResult<unknown>) => late.push(end) };
    const failing = () => until(20).then(() => Promise.reject('connection lost'));
    const obeying = (token: CancellationToken) => until(20).then(() => token.throwIfCancelled());
    await clock.run(() => timeout(10, failing, options).catch(() => {}));
    await clock.run(() => timeout(10, obeying, options).catch(() => {}));
    await clock.advance(50);
    expect(late).toEqual([{ status: 'rejected', reason: 'connection lost' }]);
  });

  it('prints a late failure with `abandon: true`, and ends no process', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    const failing = () => until(20).then(() => Promise.reject('connection lost'));
    await clock.run(() => timeout(10, failing, { clock, abandon: true }).catch(() => {}));
    await clock.run(() => timeout(10, () => until(20), { clock, abandon: true }).catch(() => {}));
    await clock.advance(50);
    expect(warn.mock.calls).toEqual([['timeout: work that was abandoned after 10 ms has failed:', 'connection lost']]);
  });

  it('passes an error of the report function to the uncaught handler', async () => {
    const caught: unknown[] = [];
    const before = setUncaughtHandler((error) => caught.push(error));
    const abandon = () => {
      throw 'the report failed';
    };
    await clock.run(() => timeout(10, () => until(20), { clock, abandon }).catch(() => {}));
    await clock.advance(50);
    setUncaughtHandler(before);
    expect(caught).toEqual(['the report failed']);
  });

  it('ends synchronously when its signal is cancelled', async () => {
    const stop = new CancellationToken();
    const waiting = timeoutAt(new Date(clock.wall() + 60_000), () => until(50), { clock, signal: stop, abandon: true });
    stop.cancel('deploy');
    await expect(waiting).rejects.toBe('deploy');
    await clock.advance(50);
    expect(clock.pendingCount).toBe(0);
  });

  it('throws for any other value of `abandon`, and shows it', async () => {
    await expect(timeout(1, async () => 1, { abandon: 'yes' as never })).rejects.toThrow(/^timeout: abandon must be/);
  });
});

describe('moveOnAfter', () => {
  it('returns a status after the time limit, and throws every other error', async () => {
    const over = await clock.run(() =>
      moveOnAfter(10, (token) => token.cancelled().then(() => token.throwIfCancelled()), { clock }),
    );
    expect(over).toEqual({ status: 'cancelled', reason: expect.any(TimeoutError) });
    expect(await clock.run(() => moveOnAfter(10, until(20), { clock }))).toMatchObject({ status: 'cancelled' });
    expect(await clock.run(() => moveOnAfter(10, () => until(20), { clock, abandon: true }))).toMatchObject({
      status: 'cancelled',
    });
    expect(await moveOnAfter(10, async () => 'value', { clock })).toEqual({ status: 'fulfilled', value: 'value' });
    expect(await clock.run(() => moveOnAfter(10, () => until(20).then(() => 'late'), { clock }))).toEqual({
      status: 'fulfilled',
      value: 'late',
    });
    const failure = new TimeoutError(5);
    await expect(moveOnAfter(10, Promise.reject(failure), { clock })).rejects.toBe(failure);
    await expect(moveOnAfter(10, () => Promise.reject('failed'), { clock })).rejects.toBe('failed');
    // Of two limits, the one that passed first counts, even if both are noticed late.
    const request = CancellationToken.timeout(50, { name: 'request', clock });
    const late = async (token: CancellationToken): Promise<void> => {
      await clock.advance(100);
      token.throwIfCancelled();
    };
    expect(await moveOnAfter(10, late, { clock, signal: request })).toMatchObject({ status: 'cancelled' });
    const other = CancellationToken.timeout(50, { name: 'request', clock });
    await expect(moveOnAfter(70, late, { clock, signal: other })).rejects.toThrow('(token "request")');
    await expect(moveOnAfter(-1, async () => 1)).rejects.toThrow(/^moveOnAfter: the time/);
    await clock.advance(100);
  });

  it('throws the reason of its signal, even if that is an earlier deadline', async () => {
    const outer = CancellationToken.timeout(5, { clock });
    const work = (token: CancellationToken) => token.cancelled().then(() => token.throwIfCancelled());
    const error = await clock.run(() => moveOnAfter(10, work, { clock, signal: outer }).catch((e) => e));
    expect(error).toBe(outer.reason);
    await expect(moveOnAfter(10, until(1), { clock, signal: outer })).rejects.toBe(outer.reason);
  });
});
