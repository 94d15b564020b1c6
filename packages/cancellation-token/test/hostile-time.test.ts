import {
  CancellationToken,
  type Clock,
  isCancellation,
  PENDING,
  type Source,
  setUncaughtHandler,
  source,
  systemClock,
  type Waiter,
  wait,
  waiter,
} from '@quiesce/cancellation-token';
import { untilCancelled } from '@quiesce/cancellation-token/internal';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { describe, expect, it } from 'vitest';
import { RefClock } from './helpers/ref-clock.ts';

function idle(): Waiter {
  return waiter(() => {});
}

/** Time advances at each read, as in a slow program. */
class SteppingClock implements Clock {
  #now = 0;
  readonly timers = new Set<() => void>();
  now(): number {
    return this.#now++;
  }
  wall(): number {
    return this.#now;
  }
  setTimer(_ms: number, fn: () => void): never {
    this.timers.add(fn);
    return fn as never;
  }
  clearTimer(timer: unknown): void {
    this.timers.delete(timer as () => void);
  }
  /** Fires all timers, including those that are set again because they were early. */
  fire(): void {
    while (this.timers.size > 0) {
      for (const fn of [...this.timers]) {
        this.timers.delete(fn);
        fn();
      }
    }
  }
}

describe('a deadline that passes between the poll and the parking', () => {
  it('still wakes the waiter', async () => {
    for (let ms = 0; ms < 12; ms++) {
      const clock = new SteppingClock();
      const token = CancellationToken.timeout(ms, { clock });
      const below = token.childToken();
      const waits = [wait(below), token.cancelled().then(), below.runUntilCancelled(new Promise(() => {}))];
      clock.fire();
      const ends = await Promise.all(waits);
      expect(ends).toHaveLength(3);
    }
  });
});

describe('runUntilCancelled on a disposed token', () => {
  it('follows the parent, with its reason', async () => {
    const parent = new CancellationToken();
    const child = parent.childToken();
    const before = child.runUntilCancelled(new Promise(() => {}));
    child.dispose();
    const after = child.runUntilCancelled(new Promise(() => {}));
    parent.cancel('why');
    expect(await before).toEqual({ status: 'cancelled', reason: 'why' });
    expect(await after).toEqual({ status: 'cancelled', reason: 'why' });
    let isStarted = false;
    const work = (): void => {
      isStarted = true;
    };
    expect(await child.runUntilCancelled(work)).toEqual({ status: 'cancelled', reason: 'why' });
    expect(isStarted).toBe(false);
  });
});

describe('runUntilCancelled with a thenable', () => {
  const thenable = (then: (resolve: (value: unknown) => void) => void): PromiseLike<unknown> => ({ then }) as never;

  it('does not start it when already cancelled, follows its result, and survives one that throws', async () => {
    const cancelled = CancellationToken.alreadyCancelled('before');
    let isStarted = false;
    const lazy = thenable(() => {
      isStarted = true;
    });
    expect(await cancelled.runUntilCancelled(lazy)).toEqual({ status: 'cancelled', reason: 'before' });
    expect(isStarted).toBe(false);

    const token = new CancellationToken();
    const nested = thenable((resolve) => resolve(Promise.resolve(5)));
    expect(await token.runUntilCancelled(nested)).toEqual({ status: 'fulfilled', value: 5 });
    const throws = thenable(() => {
      throw new Error('then');
    });
    await expect(token.runUntilCancelled(throws)).rejects.toThrow('then');
    expect(Reflect.get(token, 'head')).toBeUndefined();
  });
});

describe('deadlines of unobserved tokens', () => {
  it('count in the order of their times, not in that of the array', async () => {
    for (const order of [
      [20, 10],
      [10, 20],
    ]) {
      const clock = new VirtualClock();
      const members = order.map((ms) => CancellationToken.timeout(ms, { clock }));
      await clock.advance(30);
      expect(CancellationToken.any(members).reason).toMatchObject({ ms: 10 });
      expect(CancellationToken.all(members).reason).toMatchObject({ ms: 20 });
    }
  });
});

describe('a read that runs callbacks', () => {
  it('may dispose the very token that is read: it is frozen, and nothing stays registered on it', async () => {
    for (const act of ['read', 'onCancelled', 'park'] as const) {
      const clock = new VirtualClock();
      const [timed, other] = [CancellationToken.timeout(5, { clock }), new CancellationToken()];
      const group = CancellationToken.all([timed, other]).childToken();
      timed.onCancelled(() => {
        group.dispose();
        other.cancel('other');
      });
      // Past the deadline, and no timer has fired.
      const now = clock.now.bind(clock);
      clock.now = () => now() + 10;
      if (act === 'onCancelled') group.onCancelled(() => expect.unreachable());
      const waiter = idle();
      if (act === 'park') {
        group[source].park(waiter);
        group[source].unpark(waiter);
        expect(waiter.owner).toBeUndefined();
      }
      const first = group.isCancelled;
      expect(group.isCancelled).toBe(first);
      if (first) expect(group.reason).toBe('other');
      else expect(() => group.throwIfCancelled()).not.toThrow();
    }
  });
});

describe('a clock or a signal that throws', () => {
  it('is reported, and leaves the tree consistent', async () => {
    const errors: unknown[] = [];
    const before = setUncaughtHandler((error) => errors.push(error));
    const fail = (): never => {
      throw new Error('no timers today');
    };
    for (const broken of [{ setTimer: fail }, { clearTimer: fail }]) {
      const parent = new CancellationToken();
      const token = parent.withTimeout(1_000, {
        clock: { ...systemClock, setTimer: () => ({}) as never, clearTimer: () => {}, ...broken },
      });
      const log: string[] = [];
      token.onCancelled(() => log.push('token'));
      parent.onCancelled(() => log.push('parent'));
      expect(parent.cancel()).toBe(true);
      expect(log).toEqual(['parent', 'token']);
    }
    await Promise.resolve();
    setUncaughtHandler(before);
    expect(errors.length).toBeGreaterThan(1);
  });
});

describe('withDeadline', () => {
  it('keeps the date that it was given', () => {
    for (const date of [new Date(Date.now() + 12_345), new Date(1)]) {
      expect(new CancellationToken().withDeadline(date).deadline).toEqual(date);
    }
  });
});

describe('isCancellation', () => {
  it('recognises the reason NaN', () => {
    expect(isCancellation(Number.NaN, CancellationToken.alreadyCancelled(Number.NaN))).toBe(true);
  });
});

describe('untilCancelled over work whose park throws', () => {
  it('leaves nothing parked', () => {
    const token = new CancellationToken();
    const broken: Source<never> = {
      [source]: {
        poll: () => PENDING,
        park: () => {
          throw new Error('no room');
        },
        unpark: () => {},
      },
    };
    const waiter = idle();
    expect(() => untilCancelled(token, broken)[source].park(waiter)).toThrow('no room');
    expect([waiter.owner, Reflect.get(token, 'head')]).toEqual([undefined, undefined]);
  });
});

describe('a clock that runs code of its own when a timer is cleared', () => {
  const withTimer = () => {
    const clock = new RefClock();
    const root = new CancellationToken();
    const timed = root.withTimeout(1_000, { clock });
    const act: { onClear: () => void } = { onClear: () => {} };
    const clearTimer = clock.clearTimer.bind(clock);
    clock.clearTimer = (timer) => {
      clearTimer(timer);
      act.onClear();
    };
    return { root, timed, act };
  };

  it('may read any token: it finds the whole subtree marked', () => {
    const { root, timed, act } = withTimer();
    timed.onCancelled(() => {});
    const sibling = root.childToken();
    sibling.onCancelled(() => {});
    const below = sibling.childToken();
    const seen: boolean[] = [];
    act.onClear = () => seen.push(sibling.isCancelled, below.isCancelled);
    root.cancel();
    expect([...seen, below.isCancelled]).toEqual([true, true, true]);
  });

  it('may make the first children of the cancelled token: they are cancelled, and so are their children', () => {
    const { timed, act } = withTimer();
    const token = timed.childToken();
    token.onCancelled(() => {});
    const born: CancellationToken[] = [];
    act.onClear = () => {
      born.push(token.childToken());
      for (let depth = 0; depth < 3; depth++) born.push((born.at(-1) as CancellationToken).childToken());
      for (const child of born) child.isCancelled;
    };
    token.cancel();
    const later = born.map((child) => child.childToken());
    expect([token, ...born, ...later].map((child) => child.isCancelled)).toEqual(Array(9).fill(true));
  });

  it('may dispose queued callbacks, of the same token and of others', () => {
    const { root, timed, act } = withTimer();
    const log: string[] = [];
    const first = timed.onCancelled(() => log.push('first'));
    timed.onCancelled(() => log.push('second'));
    const sibling = root.childToken();
    const third = sibling.onCancelled(() => log.push('third'));
    root.childToken().onCancelled(() => log.push('fourth'));
    act.onClear = () => [first, third].map((registration) => registration.dispose());
    root.cancel();
    expect([log, sibling.isCancelled]).toEqual([['second', 'fourth'], true]);
  });

  it('may cancel and dispose others', () => {
    const { root, timed, act } = withTimer();
    timed.onCancelled(() => {});
    const other = new CancellationToken();
    const log: string[] = [];
    other.onCancelled(() => log.push('other'));
    const sibling = root.childToken();
    sibling.onCancelled(() => log.push('sibling'));
    act.onClear = () => {
      sibling.dispose();
      other.cancel();
    };
    root.cancel();
    expect([log, other.isCancelled, sibling.isCancelled]).toEqual([['other'], true, true]);
  });
});

it('a clock whose timers fire synchronously, inside `setTimer`, cancels in a microtask', async () => {
  const clock: Clock = { now: () => 0, wall: () => 0, setTimer: (_ms, fn) => fn() as never, clearTimer: () => {} };
  const token = new CancellationToken().withTimeout(10, { clock }).childToken();
  expect(await wait(token)).toMatchObject({ name: 'TimeoutError' });
});
