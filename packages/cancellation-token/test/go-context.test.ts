// The guarantees and tests of Go's context package: layers over layers, residue, deadlines, detachment.
import { CancellationToken, CancelledError, TimeoutError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { chainBelow } from './helpers/script.ts';

vi.setConfig({ testTimeout: 60_000 });

/** The ways to wrap a token, one layer at a time. */
const layers: Record<string, (token: CancellationToken, clock: VirtualClock) => CancellationToken> = {
  child: (token) => token.childToken(),
  'named child': (token) => token.childToken({ name: 'layer' }),
  timeout: (token, clock) => token.withTimeout(1_000, { clock }),
  deadline: (token, clock) => token.withDeadline(new Date(clock.wall() + 2_000), { clock }),
  linked: (token) => CancellationToken.any([token, new CancellationToken()]),
  'through a signal': (token) => CancellationToken.from(AbortSignal.any([token.signal])),
  'below a disposed one': (token) => {
    const between = token.childToken();
    const child = between.childToken();
    between.dispose();
    return child;
  },
};

const layering = fc.record({
  kinds: fc.array(fc.constantFrom(...Object.keys(layers)), { minLength: 1, maxLength: 30 }),
  observed: fc.array(fc.boolean(), { minLength: 30, maxLength: 30 }),
  cut: fc.nat(30),
});

interface Layered {
  readonly clock: VirtualClock;
  readonly tokens: CancellationToken[];
  /** How often the callback of each token has run; -1: it has none. */
  readonly calls: number[];
}

function build({ kinds, observed }: { kinds: string[]; observed: boolean[] }): Layered {
  const clock = new VirtualClock();
  const tokens = [new CancellationToken()];
  for (const kind of kinds)
    tokens.push((layers[kind] as (typeof layers)[string])(tokens.at(-1) as CancellationToken, clock));
  const calls: number[] = tokens.map((token, index) => {
    if (observed[index] !== true) return -1;
    token.onCancelled(() => {
      calls[index] = (calls[index] as number) + 1;
    });
    return 0;
  });
  return { clock, tokens, calls };
}

describe('random layers', () => {
  test('a cancelled layer cancels exactly the layers inside it, each once, and no timer is left', () => {
    fc.assert(
      fc.property(layering, (plan) => {
        const { clock, tokens, calls } = build(plan);
        const cut = plan.cut % tokens.length;
        tokens[cut]?.cancel('cut');
        expect(tokens.map(({ isCancelled }) => isCancelled)).toEqual(tokens.map((_, index) => index >= cut));
        expect(tokens.slice(cut).every(({ reason }) => reason === 'cut')).toBe(true);
        expect(calls.every((count, index) => count === -1 || count === (index >= cut ? 1 : 0))).toBe(true);
        for (const token of tokens) token.cancel();
        expect(clock.pendingCount).toBe(0);
      }),
    );
  });

  test('without a cancellation the outermost timeout ends exactly the layers inside it', async () => {
    await fc.assert(
      fc.asyncProperty(layering, async (plan) => {
        const { clock, tokens, calls } = build(plan);
        const cut = plan.kinds.indexOf('timeout') + 1;
        await clock.advance(1_000);
        const isOver = (index: number): boolean => cut > 0 && index >= cut;
        expect(tokens.map(({ isCancelled }) => isCancelled)).toEqual(tokens.map((_, index) => isOver(index)));
        expect(calls.every((count, index) => count === -1 || count === (isOver(index) ? 1 : 0))).toBe(true);
        for (const { reason } of tokens.filter((_, index) => isOver(index)))
          expect(reason).toBeInstanceOf(TimeoutError);
      }),
      { numRuns: 50 },
    );
  });

  test('any order of cancels and new layers cancels exactly the layers below a cancelled one', () => {
    const op = fc.record({ isCancel: fc.boolean(), at: fc.nat(), kind: fc.constantFrom('child', 'timeout', 'linked') });
    fc.assert(
      fc.property(fc.array(op, { maxLength: 80 }), (ops) => {
        const clock = new VirtualClock();
        const tokens = [new CancellationToken()];
        const parents = [-1];
        const reasons: (string | undefined)[] = [undefined];
        for (const [index, { isCancel, at, kind }] of ops.entries()) {
          const on = at % tokens.length;
          const token = tokens[on] as CancellationToken;
          if (isCancel) {
            expect(token.cancel(`op ${index}`)).toBe(reasons[on] === undefined);
            reasons[on] ??= `op ${index}`;
          } else {
            tokens.push((layers[kind] as (typeof layers)[string])(token, clock));
            parents.push(on);
            reasons.push(undefined);
          }
          // Parents come before their children.
          for (const [child, parent] of parents.entries()) reasons[child] ??= reasons[parent];
          if (at % 3 === 0) expect(tokens.map(({ reason }) => reason)).toEqual(reasons);
        }
        expect(tokens.map(({ reason }) => reason)).toEqual(reasons);
      }),
    );
  });
});

describe('a deadline below a deadline', () => {
  test('that is shorter ends earlier and alone; its parent continues until its own', async () => {
    const clock = new VirtualClock();
    const parent = CancellationToken.timeout(100, { clock });
    const child = parent.withTimeout(50);
    await clock.advance(50);
    expect([child.reason, parent.reason]).toEqual([expect.objectContaining({ ms: 50 }), undefined]);
    await clock.advance(50);
    expect(parent.reason).toMatchObject({ ms: 100 });
  });

  test('that is longer is replaced by that of the parent, even when it is read in another way', async () => {
    const clock = new VirtualClock();
    const parent = CancellationToken.timeout(50, { clock });
    const children = [
      parent.withTimeout(100),
      parent.withDeadline(new Date(100)),
      parent.withTimeout(Number.POSITIVE_INFINITY),
    ];
    for (const child of children) expect(child.deadline).toEqual(parent.deadline);
    await clock.advance(50);
    for (const child of children) expect(child.reason).toBe(parent.reason);
  });

  test('that comes after the parent’s cancellation has its reason, and its timer is cleared', async () => {
    const clock = new VirtualClock();
    const parent = new CancellationToken();
    const child = parent.withTimeout(50, { clock });
    child.onCancelled(() => {});
    parent.cancel();
    expect(child.reason).toBeInstanceOf(CancelledError);
    expect(clock.pendingCount).toBe(0);
    await clock.advance(100);
    expect(child.reason).toBe(parent.reason);
  });

  test('that has passed cannot be cancelled again', async () => {
    const clock = new VirtualClock();
    const token = CancellationToken.timeout(50, { clock });
    await clock.advance(50);
    expect([token.cancel('late'), token.reason]).toEqual([false, expect.any(TimeoutError)]);
  });
});

describe('cancelling twice', () => {
  test('keeps the first reason, even when that is `undefined`', () => {
    const token = new CancellationToken();
    expect([token.cancel(), token.cancel('second')]).toEqual([true, false]);
    expect(token.reason).toBeInstanceOf(CancelledError);
  });

  test('from parent and child, in both orders, keeps the earlier reason of each', () => {
    const [first, second] = [new CancellationToken(), new CancellationToken()];
    const [below, beneath] = [first.childToken(), second.childToken()];
    below.cancel('child');
    first.cancel('parent');
    second.cancel('parent');
    expect(beneath.cancel('child')).toBe(false);
    expect([below.reason, first.reason, beneath.reason]).toEqual(['child', 'parent', 'parent']);
  });

  test('by a hundred tasks that start together returns true to one of them', async () => {
    const root = new CancellationToken();
    const leaf = chainBelow(root, 5);
    const turns = Array.from({ length: 100 }, async (_, index) => {
      for (let i = 0; i < index % 7; i++) await undefined;
      return (index % 2 === 0 ? root : leaf).cancel(index);
    });
    const reasons = (await Promise.all(turns)).map((did, index) => (did ? index : -1)).filter((index) => index >= 0);
    expect(reasons.filter((index) => index % 2 === 0)).toEqual([root.reason]);
    expect(reasons).toContain(leaf.reason);
  });
});

describe('a detached token', () => {
  test('is not cancelled with its original, before or after', async () => {
    const clock = new VirtualClock();
    const parent = CancellationToken.timeout(50, { clock, name: 'request' });
    const [before, child] = [parent.detached(), parent.detached().childToken()];
    await clock.advance(50);
    const after = parent.detached();
    expect([before, child, after].map(({ isCancelled, deadline }) => [isCancelled, deadline])).toEqual(
      Array.from({ length: 3 }, () => [false, undefined]),
    );
    expect([before.name, after.name]).toEqual(['request', 'request']);
  });

  test('has children, deadlines and cancellations of its own, which do not affect its original', async () => {
    const clock = new VirtualClock();
    const parent = new CancellationToken();
    const detached = parent.detached();
    const child = detached.withTimeout(10, { clock });
    await clock.advance(10);
    expect([child.isCancelled, detached.isCancelled]).toEqual([true, false]);
    detached.cancel();
    expect(parent.isCancelled).toBe(false);
  });

  test('leaves nothing in its original, observed or not', () => {
    const parent = new CancellationToken();
    parent.detached().onCancelled(() => {});
    expect(Reflect.get(parent, 'head')).toBeUndefined();
  });
});
