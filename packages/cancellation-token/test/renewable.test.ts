import {
  CancellationToken,
  type Clock,
  isCancelledError,
  setUncaughtHandler,
  TimeoutError,
  wait,
} from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { expect, it as test, vi } from 'vitest';
import { RefClock } from './helpers/ref-clock.ts';

const make = (ms: number, options: Parameters<CancellationToken['renewable']>[1] = {}) => {
  const clock = new RefClock();
  const parent = new CancellationToken();
  return { clock, parent, deadline: parent.renewable(ms, { clock, ...options }) };
};

/** A clock that records each call for a timer. */
class TimerLog extends RefClock {
  readonly log: string[] = [];
  override setTimer(ms: number, fn: () => void, options: { ref: boolean }): ReturnType<Clock['setTimer']> {
    this.log.push(`set ${ms}`);
    return super.setTimer(ms, fn, options);
  }
  override clearTimer(timer: object): void {
    this.log.push('clear');
    super.clearTimer(timer);
  }
}

test('the token is over at its deadline when it is read, although no timer could fire', () => {
  const { clock, deadline } = make(100);
  const child = deadline.token.childToken().childToken();
  clock.time = 99;
  expect([child.isCancelled, deadline.left, child.timeLeft]).toEqual([false, 1, 1]);
  clock.time = 100;
  expect([child.isCancelled, deadline.left, child.timeLeft]).toEqual([true, 0, 0]);
  expect(child.reason).toBeInstanceOf(TimeoutError);
  expect(child.reason).toBe(deadline.token.reason);
});

test('the token is over at its deadline by a timer when it is observed', () => {
  const { clock, deadline } = make(100);
  const callback = vi.fn();
  deadline.token.childToken().onCancelled(callback);
  clock.fire(99);
  expect(callback).not.toHaveBeenCalled();
  clock.fire(100);
  expect(callback).toHaveBeenCalledTimes(1);
  expect(clock.refs).toEqual([]);
});

test('the time counts from `since`, which may be in the past; a deadline in the past is over at once', () => {
  const clock = new RefClock();
  clock.time = 1_000;
  const root = new CancellationToken();
  expect(root.renewable(100, { clock, since: 950 }).left).toBe(50);
  const late = root.renewable(100, { clock, since: 900 });
  expect([late.left, late.token.isCancelled, late.renew(100)]).toEqual([0, true, false]);
});

test('`renew` moves the deadline later and earlier, from now or from `since`', () => {
  const { clock, deadline } = make(100);
  clock.time = 50;
  expect([deadline.renew(200), deadline.left]).toEqual([true, 200]);
  expect([deadline.renew(200, 30), deadline.left]).toEqual([true, 180]);
  expect([deadline.renew(20), deadline.left]).toEqual([true, 20]);
  clock.time = 70;
  expect(deadline.token.isCancelled).toBe(true);
});

test('`renew` to a time that has passed ends the token: when it is read, and by a timer', () => {
  const { clock, deadline } = make(100);
  const callback = vi.fn();
  deadline.token.onCancelled(callback);
  clock.time = 50;
  expect([deadline.renew(10, 20), deadline.left]).toEqual([true, 0]);
  expect(callback).not.toHaveBeenCalled();
  clock.fire(50);
  expect(callback).toHaveBeenCalledTimes(1);
});

test('`renew` returns false and changes nothing once the deadline has passed, noticed or not', () => {
  for (const notice of [() => {}, (token: CancellationToken) => token.isCancelled]) {
    const { clock, deadline } = make(100, { reason: () => 'lost' });
    clock.time = 100;
    notice(deadline.token);
    expect([deadline.renew(1_000), deadline.renew(1_000, 99), deadline.left]).toEqual([false, false, 0]);
    expect([deadline.token.isCancelled, deadline.token.reason]).toEqual([true, 'lost']);
  }
});

test('`renew` returns false and changes nothing once the token is cancelled, by itself or from above', () => {
  for (const end of ['token', 'parent'] as const) {
    const { clock, parent, deadline } = make(100);
    const token = end === 'token' ? deadline.token : parent;
    token.cancel('stop');
    clock.time = 10;
    expect([deadline.renew(1_000), deadline.left, deadline.token.reason]).toEqual([false, 90, 'stop']);
  }
});

test('`reason` is called once for the whole subtree, when the deadline has passed', () => {
  const reason = vi.fn(() => new Error('lost'));
  const { clock, deadline } = make(100, { reason });
  const tokens = [deadline.token, deadline.token.childToken(), deadline.token.childToken().childToken()];
  const seen: unknown[] = [];
  tokens[1]?.onCancelled((given) => seen.push(given));
  deadline.renew(50);
  clock.time = 49;
  expect(tokens.map((token) => token.isCancelled)).toEqual([false, false, false]);
  expect(reason).not.toHaveBeenCalled();
  clock.time = 50;
  expect(tokens[2]?.isCancelled).toBe(true);
  expect(reason).toHaveBeenCalledTimes(1);
  expect([...seen, ...tokens.map((token) => token.reason)]).toEqual(new Array(4).fill(reason.mock.results[0]?.value));
  expect(new Set(tokens.map((token) => token.reason)).size).toBe(1);
  expect(reason).toHaveBeenCalledTimes(1);
});

test('the reason is a TimeoutError with the length that was set last, and the stack of the call that made the deadline', () => {
  function startLease(): ReturnType<typeof make> {
    const lease = make(100, { name: 'lease' });
    // Not a tail call, whose frame JavaScriptCore drops.
    return lease;
  }
  const { clock, deadline } = startLease();
  deadline.renew(250);
  clock.time = 250;
  expect(deadline.token.reason).toMatchObject({ ms: 250, message: 'Timed out after 250 ms (token "lease")' });
  expect((deadline.token.reason as Error).stack).toMatch(/^TimeoutError: Timed out after 250 ms[\s\S]*startLease/);
});

test('a `reason` that returns undefined or throws gives a TimeoutError; its error goes to the uncaught handler', async () => {
  const uncaught: unknown[] = [];
  const before = setUncaughtHandler((error) => uncaught.push(error));
  for (const reason of [
    () => undefined,
    () => {
      throw new Error('broken');
    },
  ]) {
    const { clock, deadline } = make(100, { reason });
    clock.time = 100;
    expect(deadline.token.reason).toMatchObject({ name: 'TimeoutError', ms: 100 });
  }
  await Promise.resolve();
  setUncaughtHandler(before);
  expect(uncaught.map(String)).toEqual(['Error: broken']);
});

test('`reason` may read, renew and cancel its token, and tokens above it', () => {
  const log: unknown[] = [];
  const { clock, parent, deadline } = make(100, {
    reason: () => {
      log.push(deadline.token.isCancelled, deadline.renew(100));
      return 'lost';
    },
  });
  clock.time = 100;
  expect([deadline.token.reason, ...log]).toEqual(['lost', false, false]);

  const above = parent.renewable(200, { clock, reason: () => void other.token.cancel('own') });
  const other = above.token.renewable(100, { clock, reason: () => parent.cancel('all') });
  const observed = vi.fn();
  other.token.childToken().onCancelled(observed);
  clock.time = 300;
  expect(other.token.isCancelled).toBe(true);
  expect([parent.reason, above.token.reason, other.token.reason]).toEqual(['all', 'all', 'all']);
  expect(observed.mock.calls).toEqual([['all']]);
});

test('a deadline above whose `reason` cancels the token that is being read changes no reason that was given', () => {
  const clock = new RefClock();
  const root = new CancellationToken();
  const above = root.renewable(200, {
    clock,
    reason: () => {
      root.cancel('by hand');
      return 'above';
    },
  });
  const lower = above.token.renewable(100, { clock, reason: () => 'lower' });
  const calls: unknown[] = [];
  lower.token.onCancelled((reason) => calls.push(reason));
  clock.time = 300;
  expect(lower.token.isCancelled).toBe(true);
  expect(calls).toEqual([lower.token.reason]);
  expect([lower.token.reason, above.token.reason]).toEqual(['by hand', 'by hand']);
});

test('there is one timer, and only while the token or one below it is observed', () => {
  const { clock, deadline } = make(100);
  expect(clock.refs).toEqual([]);
  const first = deadline.token.onCancelled(() => {});
  const second = deadline.token.childToken().onCancelled(() => {});
  deadline.renew(50);
  deadline.renew(500);
  expect(clock.refs).toEqual([false]);
  first.dispose();
  second.dispose();
  expect(clock.refs).toEqual([]);
  deadline.renew(50);
  expect(clock.refs).toEqual([]);
});

test('a later renewal does not touch the timer, which is set again when it fires; an earlier one sets it anew', () => {
  const clock = new TimerLog();
  const { token, renew } = ((made) => ({ token: made.token, renew: (ms: number) => made.renew(ms) }))(
    new CancellationToken().renewable(100, { clock }),
  );
  const callback = vi.fn();
  token.onCancelled(callback);
  clock.fire(90);
  for (let i = 0; i < 5; i++) renew(1_000);
  expect(clock.log).toEqual(['set 100']);
  clock.fire(100);
  expect([callback.mock.calls.length, ...clock.log]).toEqual([0, 'set 100', 'set 990']);
  renew(10);
  expect(clock.log).toEqual(['set 100', 'set 990', 'clear', 'set 10']);
  clock.fire(110);
  expect([callback.mock.calls.length, ...clock.refs]).toEqual([1]);
});

test('a deadline of Infinity sets no timer until it is renewed, and keeps no process alive', () => {
  const { clock, deadline } = make(Number.POSITIVE_INFINITY);
  void wait(deadline.token);
  expect([deadline.left, deadline.token.timeLeft, ...clock.refs]).toEqual([
    Number.POSITIVE_INFINITY,
    Number.POSITIVE_INFINITY,
  ]);
  expect(deadline.token.deadline).toEqual(new Date(8.64e15));
  deadline.renew(10);
  expect(clock.refs).toEqual([true]);
  deadline.renew(Number.POSITIVE_INFINITY);
  clock.fire(10);
  expect([deadline.token.isCancelled, ...clock.refs]).toEqual([false]);
});

test('a waiter keeps the process alive, and stays waiting over renewals', async () => {
  const { clock, deadline } = make(100);
  const waiting = wait(deadline.token);
  expect(clock.refs).toEqual([true]);
  deadline.renew(50);
  expect(clock.refs).toEqual([true]);
  clock.fire(50);
  expect(await waiting).toBe(deadline.token.reason);
});

test('children keep the deadline and its renewals when its token is disposed, observed or not', () => {
  for (const isObserved of [false, true]) {
    const { clock, parent, deadline } = make(100);
    const child = deadline.token.childToken();
    const callback = vi.fn();
    if (isObserved) child.onCancelled(callback);
    deadline.token.dispose();
    clock.time = 90;
    expect([deadline.renew(100), child.timeLeft]).toEqual([true, 100]);
    clock.fire(189);
    expect(child.isCancelled).toBe(false);
    clock.time = 190;
    expect(deadline.renew(100)).toBe(false);
    clock.fire(190);
    expect(callback).toHaveBeenCalledTimes(isObserved ? 1 : 0);
    expect([child.isCancelled, deadline.token.isCancelled, parent.isCancelled]).toEqual([true, false, false]);
    expect([deadline.renew(100), ...clock.refs]).toEqual([false]);
  }
});

test('a fixed deadline below one that moves is kept, although it is later at first', () => {
  const { clock, deadline } = make(100);
  const fixed = deadline.token.withTimeout(500);
  const dated = deadline.token.withDeadline(new Date(600));
  const callback = vi.fn();
  fixed.childToken().onCancelled(callback);
  expect([fixed.timeLeft, dated.timeLeft]).toEqual([100, 100]);
  deadline.renew(10_000);
  expect([fixed.timeLeft, dated.timeLeft, fixed.deadline]).toEqual([500, 600, new Date(500)]);
  clock.fire(500);
  expect([fixed.isCancelled, dated.isCancelled, deadline.token.isCancelled]).toEqual([true, false, false]);
  expect(callback.mock.calls[0]?.[0]).toMatchObject({ ms: 500 });
});

test('of fixed deadlines below one that moves, only the earliest is kept', () => {
  const { clock, deadline } = make(1_000);
  let token = deadline.token;
  for (let ms = 500; ms < 600; ms++) token = token.withTimeout(ms);
  token.onCancelled(() => {});
  expect(clock.refs).toHaveLength(2);
  expect(deadline.token.withTimeout(500).withTimeout(300).timeLeft).toBe(300);
});

test('a deadline that moves below a fixed one or another that moves ends with the first', () => {
  const clock = new RefClock();
  const outer = CancellationToken.timeout(300, { clock }).renewable(200);
  const inner = outer.token.renewable(100);
  expect(inner.token.timeLeft).toBe(100);
  expect([inner.renew(900), inner.token.timeLeft, inner.left]).toEqual([true, 200, 900]);
  expect([outer.renew(900), inner.token.timeLeft]).toEqual([true, 300]);
  clock.time = 300;
  expect([inner.token.isCancelled, inner.token.reason]).toEqual([true, outer.token.reason]);
  expect(outer.token.reason).toMatchObject({ ms: 300 });
});

test('of several deadlines that pass unnoticed, each token names the one that passed first for it', () => {
  for (const order of [
    [0, 1, 2],
    [2, 1, 0],
    [1, 0, 2],
  ]) {
    for (const isObserved of [false, true]) {
      const clock = new RefClock();
      const outer = new CancellationToken().renewable(300, { clock, reason: () => 'outer' });
      const fixed = outer.token.withTimeout(500);
      const inner = fixed.renewable(900, { reason: () => 'inner' });
      const tokens = [outer.token, fixed, inner.token];
      if (isObserved) inner.token.onCancelled(() => {});
      inner.renew(200);
      outer.renew(400);
      clock.time = 1_000;
      for (const i of order) expect(tokens[i]?.isCancelled).toBe(true);
      expect(tokens.map((token) => token.reason)).toEqual(['outer', 'outer', 'inner']);
    }
  }
});

test('deadlines of two clocks are both kept, and each is over by its own clock', () => {
  const [near, far] = [new RefClock(), new RefClock()];
  const outer = new CancellationToken().renewable(100, { clock: near });
  const fixed = outer.token.withTimeout(10, { clock: far });
  const inner = fixed.renewable(50, { clock: far });
  far.time = 5;
  near.time = 99;
  expect([inner.token.isCancelled, inner.token.timeLeft]).toEqual([false, 1]);
  outer.renew(100);
  near.time = 150;
  expect([inner.token.isCancelled, inner.renew(50), fixed.timeLeft]).toEqual([false, true, 5]);
  far.time = 10;
  expect([inner.token.isCancelled, fixed.isCancelled, outer.token.isCancelled]).toEqual([true, true, false]);
  near.time = 199;
  expect(outer.token.isCancelled).toBe(true);
});

test('without a clock of its own it has that of the deadline above, also for `since`', () => {
  const clock = new RefClock();
  clock.time = 1_000;
  const deadline = CancellationToken.timeout(500, { clock }).renewable(100, { since: 960 });
  expect(deadline.left).toBe(60);
});

test('groups and signals follow it, and the time of the reason is that of the deadline', () => {
  const clock = new RefClock();
  const late = new CancellationToken().renewable(100, { clock, reason: () => 'late' });
  const early = new CancellationToken().renewable(100, { clock, reason: () => 'early' });
  const fixed = CancellationToken.timeout(95, { clock });
  const either = CancellationToken.any([late.token, fixed, early.token]);
  const both = CancellationToken.all([late.token, fixed, early.token]);
  const { signal } = late.token;
  early.renew(90);
  late.renew(120);
  clock.time = 200;
  expect([either.reason, both.reason]).toEqual(['early', 'late']);
  expect([signal.aborted, signal.reason]).toEqual([true, 'late']);
});

test('with `wall: true` it is also over when the wall clock has advanced by the time', async () => {
  const clock = new VirtualClock(1_000_000);
  const root = new CancellationToken();
  const [lease, other] = [root.renewable(100, { clock, wall: true }), root.renewable(100, { clock })];
  const child = lease.token.childToken();
  clock.suspend(99);
  expect([clock.now(), clock.wall(), child.isCancelled, lease.left, other.left]).toEqual([0, 1_000_099, false, 1, 100]);
  await clock.advance(1);
  expect([child.isCancelled, lease.renew(100), other.token.isCancelled]).toEqual([true, false, false]);
});

test('with `wall: true`, a renewal after a sleep counts the sleep if it may have come after `since`', async () => {
  const clock = new VirtualClock();
  const lease = new CancellationToken().renewable(Number.POSITIVE_INFINITY, { clock, wall: true });
  const since = clock.now();
  clock.suspend(40);
  expect([lease.renew(100, since), lease.left]).toEqual([true, 60]);
  await clock.advance(10);
  expect([lease.renew(100, clock.now()), lease.left]).toEqual([true, 100]);
  clock.suspend(40);
  expect([lease.renew(100), lease.left]).toEqual([true, 100]);
  clock.suspend(200);
  expect([lease.renew(100, clock.now()), lease.token.isCancelled]).toEqual([false, true]);
});

test('with `wall: true`, a wall clock that is set back changes nothing; what it has passed stays passed', () => {
  let wall = 5_000;
  class SetClock extends RefClock {
    override wall(): number {
      return wall;
    }
  }
  const clock = new SetClock();
  const lease = new CancellationToken().renewable(100, { clock, wall: true });
  wall = 0;
  clock.time = 50;
  expect([lease.left, lease.renew(100), lease.left]).toEqual([50, true, 100]);
  wall = 100;
  expect(lease.token.isCancelled).toBe(true);
  wall = 0;
  expect([lease.token.isCancelled, lease.renew(100)]).toEqual([true, false]);
});

test('with `wall: true`, a deadline that only the wall clock has passed is not later than a fixed one below', () => {
  const clock = new VirtualClock();
  const lease = new CancellationToken().renewable(100, { clock, wall: true, reason: () => 'slept' });
  const fixed = lease.token.withTimeout(50);
  fixed.onCancelled(() => {});
  clock.suspend(100);
  expect([fixed.reason, lease.token.reason]).toEqual(['slept', 'slept']);
});

test('a timer that fires after a sleep ends the token, if the wall clock has passed the renewed deadline', async () => {
  const clock = new VirtualClock();
  const lease = new CancellationToken().renewable(100, { clock, wall: true });
  const callback = vi.fn();
  lease.token.onCancelled(callback);
  await clock.advance(50);
  lease.renew(100);
  clock.suspend(60);
  await clock.advance(50);
  expect([callback.mock.calls.length, clock.pendingCount]).toEqual([1, 0]);
});

test('arguments that make no sense are refused at the call, which changes nothing', () => {
  const { clock, parent, deadline } = make(100);
  for (const bad of [-1, Number.NaN, '5', undefined]) {
    expect(() => parent.renewable(bad as number, { clock })).toThrow(/renewable: the time must be milliseconds/);
    expect(() => deadline.renew(bad as number)).toThrow(/renew: the time must be milliseconds/);
  }
  for (const since of [1, Number.NaN, Number.POSITIVE_INFINITY, Date.now(), '0', null]) {
    const options = { clock, since: since as number };
    expect(() => parent.renewable(5, options)).toThrow(/renewable: since .* not Date\.now\(\)/);
    expect(() => deadline.renew(5, since as number)).toThrow(/renew: since .* not Date\.now\(\)/);
  }
  expect(() => parent.renewable(5, { reason: 'lost' as never })).toThrow(/renewable: reason: expected a function/);
  expect(() => parent.renewable(5, { wall: 1 as never })).toThrow(/renewable: wall: expected true or false/);
  expect(() => parent.renewable(5, { walls: true } as never)).toThrow(/renewable: .*walls/);
  const incomplete = { now: () => 0, setTimer: () => ({}), clearTimer: () => {} } as unknown as Clock;
  expect(() => parent.renewable(5, { clock: incomplete, wall: true })).toThrow(/renewable: .*wall\(\)/);
  expect(parent.renewable(5, { clock: incomplete }).left).toBe(5);
  const { renew } = deadline;
  expect(() => renew(5)).toThrow(/renew was called without its deadline/);
  expect(deadline.left).toBe(100);
});

test('the handle shows its token and the time left', () => {
  const { deadline } = make(100, { name: 'lease' });
  expect(JSON.stringify(deadline)).toMatch(/lease.*"left":100/);
});

test('a renewable below a cancelled token is cancelled, and never renewed', () => {
  const token = CancellationToken.alreadyCancelled();
  const deadline = token.renewable(100);
  expect([deadline.token.isCancelled, deadline.renew(5)]).toEqual([true, false]);
  expect(isCancelledError(deadline.token.reason)).toBe(true);
});
