import { CancellationToken, type Clock, systemClock, TimeoutError, wait, waiter } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { RefClock } from './helpers/ref-clock.ts';

const options = (clock: VirtualClock): { clock: VirtualClock } => ({ clock });

describe('a deadline', () => {
  it('cancels the token and everything below it, with one TimeoutError', async () => {
    const clock = new VirtualClock();
    const token = new CancellationToken().withTimeout(5_000, options(clock));
    const below = token.childToken();
    const log: unknown[] = [];
    token.onCancelled((reason) => log.push(reason));
    below.onCancelled((reason) => log.push(reason));
    await clock.advance(4_999);
    expect(log).toEqual([]);
    await clock.advance(1);
    expect(log).toHaveLength(2);
    expect(log[0]).toBe(log[1]);
    expect(log[0]).toBeInstanceOf(TimeoutError);
    expect(log[0]).toMatchObject({ name: 'TimeoutError', code: 'ERR_TIMEOUT', ms: 5_000 });
    expect(token.reason).toBe(log[0]);
  });

  it('is detected by each read after it, although no timer could fire', () => {
    let now = 0;
    const clock = { ...systemClock, now: () => now, setTimer: vi.fn(), clearTimer: vi.fn() };
    const parent = new CancellationToken().withTimeout(10, { clock });
    const child = parent.childToken().childToken();
    expect(child.isCancelled).toBe(false);
    now = 10;
    expect(child.isCancelled).toBe(true);
    expect(child.reason).toBe(parent.reason);
    expect(() => parent.throwIfCancelled()).toThrow(TimeoutError);
    expect(clock.setTimer).not.toHaveBeenCalled();
  });

  it('is detected by reading an observed token, whose callbacks run inside that read', () => {
    let now = 0;
    const clock = { ...systemClock, now: () => now, setTimer: vi.fn(), clearTimer: vi.fn() };
    const parent = new CancellationToken().withTimeout(10, { clock });
    const child = parent.childToken();
    const callback = vi.fn();
    parent.onCancelled(callback);
    child.onCancelled(callback);
    now = 11;
    expect(child.isCancelled).toBe(true);
    expect(callback).toHaveBeenCalledTimes(2);
  });

  it('has a timer only while the token or one below it is observed', () => {
    const clock = new VirtualClock();
    const token = CancellationToken.timeout(10, options(clock));
    const child = token.childToken();
    expect(clock.pendingCount).toBe(0);
    const first = child.onCancelled(() => {});
    const second = token.onCancelled(() => {});
    expect(clock.pendingCount).toBe(1);
    first.dispose();
    expect(clock.pendingCount).toBe(1);
    second.dispose();
    expect(clock.pendingCount).toBe(0);
  });

  it('clears its timer when the token is cancelled or disposed before', () => {
    const clock = new VirtualClock();
    for (const end of ['cancel', 'dispose'] as const) {
      const token = CancellationToken.timeout(10, options(clock));
      token.onCancelled(() => {});
      expect(clock.pendingCount).toBe(1);
      token[end]();
      expect(clock.pendingCount).toBe(0);
    }
  });

  it('is the earliest of those above', () => {
    const clock = new VirtualClock(1_000);
    const parent = CancellationToken.timeout(100, options(clock));
    expect(parent.withTimeout(200).deadline).toEqual(new Date(1_100));
    expect(parent.withTimeout(50).deadline).toEqual(new Date(1_050));
    expect(parent.childToken().deadline).toEqual(new Date(1_100));
    expect(parent.detached().deadline).toBeUndefined();
    expect(new CancellationToken().deadline).toBeUndefined();
  });

  it('of a child that is later than its parent’s has no effect; an earlier one does not affect the parent', async () => {
    const clock = new VirtualClock();
    const parent = CancellationToken.timeout(100, options(clock));
    const earlier = parent.withTimeout(50);
    const later = parent.withTimeout(200);
    await clock.advance(50);
    expect([earlier.isCancelled, parent.isCancelled, later.isCancelled]).toEqual([true, false, false]);
    await clock.advance(50);
    expect([parent.isCancelled, later.isCancelled]).toEqual([true, true]);
    expect(later.reason).toBe(parent.reason);
    expect(earlier.reason).not.toBe(parent.reason);
  });

  it('stays with the children of a token that is disposed, observed or not', async () => {
    const clock = new VirtualClock();
    const root = new CancellationToken();
    const parent = root.withTimeout(100, options(clock));
    const observed = parent.childToken();
    const unobserved = parent.childToken();
    const callback = vi.fn();
    observed.onCancelled(callback);
    parent.dispose();
    expect(clock.pendingCount).toBe(1);
    await clock.advance(100);
    expect(callback).toHaveBeenCalledTimes(1);
    expect(unobserved.isCancelled).toBe(true);
    expect(unobserved.reason).toBe(observed.reason);
    expect([parent.isCancelled, root.isCancelled]).toEqual([false, false]);
  });

  it('does not replace an earlier reason', async () => {
    const clock = new VirtualClock();
    const parent = CancellationToken.timeout(100, options(clock));
    const child = parent.childToken();
    parent.cancel('first');
    await clock.advance(200);
    expect(child.reason).toBe('first');
  });

  it('of 0 ms has passed; Infinity is none; a value that is not a time is refused', () => {
    expect(CancellationToken.timeout(0).isCancelled).toBe(true);
    expect(CancellationToken.timeout(Number.POSITIVE_INFINITY).deadline).toBeUndefined();
    for (const ms of [-1, Number.NaN, Number.NEGATIVE_INFINITY]) {
      expect(() => CancellationToken.timeout(ms)).toThrow(RangeError);
      expect(() => new CancellationToken().withTimeout(ms)).toThrow(RangeError);
    }
    expect(() => new CancellationToken().withDeadline(new Date(Number.NaN))).toThrow(RangeError);
  });

  it('can be a time of day, in the past, too', async () => {
    const clock = new VirtualClock(10_000);
    expect(new CancellationToken().withDeadline(new Date(9_000), options(clock)).isCancelled).toBe(true);
    const token = new CancellationToken().withDeadline(new Date(10_500), options(clock));
    token.onCancelled(() => {});
    await clock.advance(499);
    expect(token.isCancelled).toBe(false);
    await clock.advance(1);
    expect(token.isCancelled).toBe(true);
  });
});

describe('the timer of a deadline', () => {
  /** A clock that records for each timer whether it keeps the process alive. */
  function refClock(): { clock: typeof systemClock; refs: () => boolean[] } {
    const timers = new Map<object, boolean>();
    const clock = {
      ...systemClock,
      setTimer: (_ms: number, _fn: () => void, { ref }: { ref: boolean }) => {
        const timer = {};
        timers.set(timer, ref);
        return timer as never;
      },
      clearTimer: (timer: object) => void timers.delete(timer),
    };
    return { clock, refs: () => [...timers.values()] };
  }

  it('keeps the process alive exactly while a waiter waits for the token or one below it', () => {
    const { clock, refs } = refClock();
    const token = CancellationToken.timeout(1_000, { clock });
    const child = token.childToken().childToken();
    const callback = token.onCancelled(() => {});
    expect(refs()).toEqual([false]);
    void token.cancelled().then();
    expect(refs()).toEqual([true]);
    void wait(child);
    const waiting = waiter(() => {});
    const other = CancellationToken.timeout(1_000, { clock });
    other.onCancelled(() => {});
    const below = other.childToken();
    const protocol = Reflect.get(below, Symbol.for('quiesce.source')) as {
      park(w: object): void;
      unpark(w: object): void;
    };
    expect(refs()).toEqual([true, false]);
    protocol.park(waiting);
    expect(refs().toString()).toBe('true,true');
    protocol.unpark(waiting);
    expect(refs().toString()).toBe('true,false');
    callback.dispose();
  });

  it('stops keeping it alive when the awaited child is cancelled, or moves to another parent', () => {
    const { clock, refs } = refClock();
    const token = CancellationToken.timeout(1_000, { clock });
    token.onCancelled(() => {});
    const child = token.childToken();
    void child.cancelled().then();
    expect(refs()).toEqual([true]);
    child.cancel();
    expect(refs()).toEqual([false]);

    const middle = token.childToken();
    const leaf = middle.childToken();
    void leaf.cancelled().then();
    expect(refs()).toEqual([true]);
    middle.dispose();
    expect(refs()).toEqual([true]);
    leaf.cancel();
    expect(refs()).toEqual([false]);
  });

  it('is that of a source when a waiter waits for `any` of several', () => {
    const { clock, refs } = refClock();
    const timed = CancellationToken.timeout(1_000, { clock });
    const either = CancellationToken.any([timed, new CancellationToken()]);
    const child = either.childToken();
    child.onCancelled(() => {});
    expect(refs()).toEqual([false]);
    void child.cancelled().then();
    expect(refs()).toEqual([true]);
    child.cancel();
    expect(refs()).toEqual([]);
  });
});

describe('the system clock under a deadline', () => {
  afterEach(() => vi.useRealTimers());

  it('waits longer than the platform’s timers can, which would fire immediately', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const month = 31 * 24 * 3_600_000;
    const token = CancellationToken.timeout(month);
    const callback = vi.fn();
    token.onCancelled(callback);
    vi.advanceTimersByTime(2 ** 31);
    expect(callback).not.toHaveBeenCalled();
    vi.advanceTimersByTime(month - 2 ** 31);
    expect(callback).toHaveBeenCalledTimes(1);
  });
});

describe('of several named deadlines on one path', () => {
  const kinds = {
    nothing: () => {},
    'the request': ({ request }: Chain) => void request.onCancelled(() => {}),
    'the query': ({ query }: Chain) => void query.onCancelled(() => {}),
    'below the query': ({ below }: Chain) => void below.signal,
    all: ({ request, query, below }: Chain) => {
      for (const token of [request, query, below]) token.onCancelled(() => {});
    },
    'a waiter': ({ below }: Chain) => void wait(below),
  };
  interface Chain {
    readonly request: CancellationToken;
    readonly query: CancellationToken;
    readonly below: CancellationToken;
    readonly beside: CancellationToken;
  }
  const name = (token: CancellationToken): string | undefined =>
    token.isCancelled ? /token "(.*)"/.exec(String(token.reason))?.[1] : undefined;

  const make = (clock: Clock): Chain => {
    const request = CancellationToken.timeout(100, { name: 'request', clock });
    const between = request.childToken();
    const query = between.withTimeout(50, { name: 'query' });
    return { request, query, below: query.childToken().childToken(), beside: between.childToken() };
  };

  const orders: readonly (readonly (keyof Chain)[])[] = [
    ['request', 'query', 'below', 'beside'],
    ['below', 'query', 'beside', 'request'],
    ['beside', 'below', 'query', 'request'],
    ['query', 'request', 'below', 'beside'],
  ];
  const names = { request: 'request', beside: 'request', query: 'query', below: 'query' };

  describe.each(Object.entries(kinds))('observed by %s', (_, observe) => {
    it.each(orders)('each token names the one that passed first: read in the order %s, %s, %s, %s', (...order) => {
      const clock = new RefClock();
      const chain = make(clock);
      observe(chain);
      clock.time = 200;
      expect(Object.fromEntries(order.map((key) => [key, name(chain[key])]))).toEqual(names);
      expect(chain.below.reason).toBe(chain.query.reason);
    });

    it('each token does so after one advance of a virtual clock', async () => {
      const clock = new VirtualClock();
      const chain = make(clock);
      observe(chain);
      await clock.advance(200);
      for (const key of orders[0] ?? []) expect(name(chain[key])).toBe(names[key]);
    });
  });

  it('callbacks, waiters and signals get that reason, too', async () => {
    const clock = new RefClock();
    const chain = make(clock);
    const reasons: unknown[] = [];
    for (const token of [chain.request, chain.query, chain.below]) token.onCancelled((reason) => reasons.push(reason));
    const { signal } = chain.below;
    const waiting = wait(chain.query);
    clock.time = 200;
    expect(chain.request.isCancelled).toBe(true);
    expect(reasons).toEqual([chain.request.reason, chain.query.reason, chain.query.reason]);
    expect([await waiting, signal.reason]).toEqual([chain.query.reason, chain.query.reason]);
    expect(chain.query.reason).not.toBe(chain.request.reason);
  });

  it('a token that is cancelled before any has passed names none', () => {
    const clock = new RefClock();
    const chain = make(clock);
    clock.time = 10;
    chain.request.cancel('stop');
    clock.time = 200;
    expect([chain.query.reason, chain.below.reason]).toEqual(['stop', 'stop']);
  });
});

describe('deadlines on two clocks in one chain', () => {
  const make = () => {
    const [near, far] = [new RefClock(), new RefClock()];
    const parent = CancellationToken.timeout(10, { clock: near });
    const child = parent.withTimeout(5, { clock: far });
    return { near, far, parent, child };
  };

  it('cancel with the one that passes first', () => {
    const [one, two] = [make(), make()];
    one.near.time = 10;
    two.far.time = 5;
    expect([one.child.isCancelled, one.parent.isCancelled]).toEqual([true, true]);
    expect([two.child.isCancelled, two.parent.isCancelled]).toEqual([true, false]);
  });

  it('stay with the tokens below when the parent is disposed, unobserved or observed', () => {
    const { near, parent, child } = make();
    const leaf = child.childToken();
    parent.dispose();
    near.time = 10;
    expect(leaf.isCancelled).toBe(true);

    const other = make();
    const reasons: unknown[] = [];
    other.child.childToken().onCancelled((reason) => reasons.push(String(reason)));
    expect([other.near.refs.length, other.far.refs.length]).toEqual([1, 1]);
    other.parent.dispose();
    expect([other.near.refs.length, other.far.refs.length]).toEqual([1, 1]);
    other.near.fire(10);
    expect(reasons).toEqual(['TimeoutError: Timed out after 10 ms']);
    expect([other.near.refs.length, other.far.refs.length]).toEqual([0, 0]);
  });

  it('keep the first when a third deadline on the second clock is added', () => {
    const { near, far, parent, child } = make();
    const third = child.withTimeout(1, { clock: far });
    parent.dispose();
    child.dispose();
    near.time = 10;
    expect(third.isCancelled).toBe(true);
  });

  it('cancel exactly the subtree that they concern, the parent first, whichever token is read', () => {
    const { near, parent, child } = make();
    const log: string[] = [];
    parent.onCancelled(() => log.push('parent'));
    child.onCancelled(() => log.push('child'));
    near.time = 10;
    expect(child.isCancelled).toBe(true);
    expect(log).toEqual(['parent', 'child']);
  });

  it('are at most one for each clock, however often they alternate', () => {
    const clocks = [new RefClock(), new RefClock()] as const;
    let token = new CancellationToken();
    for (let i = 0; i < 20_000; i++) {
      const next = token.withTimeout(1e9 - i, { clock: clocks[(i % 2) as 0 | 1] });
      token.dispose();
      token = next;
    }
    expect(token.isCancelled).toBe(false);
    token.onCancelled(() => {});
    expect(clocks.map((clock) => clock.refs.length)).toEqual([1, 1]);
  });

  it('give the earlier time of day', () => {
    const { near, far } = make();
    const parent = new CancellationToken().withDeadline(new Date(1_000), { clock: near });
    expect(parent.withDeadline(new Date(2_000), { clock: far }).deadline).toEqual(new Date(1_000));
    expect(parent.withDeadline(new Date(500), { clock: far }).deadline).toEqual(new Date(500));
  });
});
