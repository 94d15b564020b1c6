// After Go's context tests: a child that ends leaves nothing in its parent, in the clock, or on a foreign signal.
import { getEventListeners } from 'node:events';
import { CancellationToken } from '@quiesce/cancellation-token';
import { describe, expect, test } from 'vitest';
import { RefClock } from './helpers/ref-clock.ts';
import { chainBelow, observers } from './helpers/script.ts';

describe('a child that ends leaves no residue in its parent', () => {
  const makers: Record<string, (parent: CancellationToken, clock: RefClock) => CancellationToken> = {
    child: (parent) => parent.childToken(),
    'child with a timeout': (parent, clock) => parent.withTimeout(10, { clock }),
    grandchild: (parent) => chainBelow(parent, 3),
    'linked token': (parent) => CancellationToken.any([parent, new CancellationToken()]),
  };
  const parents: Record<string, (clock: RefClock, signal: AbortSignal) => CancellationToken> = {
    'a root': () => new CancellationToken(),
    'a token with a deadline': (clock) => CancellationToken.timeout(100, { clock }),
    'a follower': (_clock, signal) => CancellationToken.from(signal),
  };
  const ends: Record<string, (child: CancellationToken) => unknown> = {
    'is cancelled': (child) => child.cancel(),
    'is disposed': (child) => child.dispose(),
  };
  const cases = Object.keys(makers).flatMap((maker) =>
    Object.keys(parents).flatMap((parent) =>
      Object.keys(observers).flatMap((observer) =>
        Object.keys(ends).map((end) => [maker, parent, observer, end] as const),
      ),
    ),
  );

  test.each(cases)('a %s of %s, observed by %s, that %s', (maker, parentKind, observer, end) => {
    const clock = new RefClock();
    const { signal } = new AbortController();
    const parent = parents[parentKind]?.(clock, signal) as CancellationToken;
    for (let i = 0; i < 10; i++) {
      const child = makers[maker]?.(parent, clock) as CancellationToken;
      observers[observer]?.(child);
      // Children and waiters that the observer itself has created below it end with the parent.
      if (observer === 'a waiter' && end === 'is disposed') child.cancel();
      if (observer === 'an observed child') child.cancel();
      ends[end]?.(child);
    }
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(clock.refs).toEqual([]);
    // The parent is as if nothing had ever been below it: it has at most what it was created with.
    const fresh = parents[parentKind]?.(clock, signal) as CancellationToken;
    fresh.onCancelled(() => {}).dispose();
    expect(listLength(parent)).toBe(listLength(fresh));
  });

  /** Returns how many items are in a token's list. */
  function listLength(token: CancellationToken): number {
    const head = Reflect.get(token, 'head') as { next: unknown } | undefined;
    let length = head === undefined ? 0 : 1;
    for (let at = head?.next; at !== head; at = (at as { next: unknown }).next) length++;
    return length;
  }
});
