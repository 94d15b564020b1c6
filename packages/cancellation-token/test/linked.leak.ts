// Below one long-lived token: groups, deadlines, waits, and work that runs until it is cancelled.
import { CancellationToken, wait } from '@quiesce/cancellation-token';
import { untilCancelled } from '@quiesce/cancellation-token/internal';
import { expect, test } from 'vitest';
import { bytesAllocated, bytesPerTurn, check, collectGarbage, survivors } from '../../../test/leak/leak.ts';
import { RefClock } from './helpers/ref-clock.ts';

const many = 10_000;
const turns = 100_000;
const nothing = (): void => {};

/** The token's list is empty. */
const isBare = (token: CancellationToken): boolean => Reflect.get(token, 'head') === undefined;

test.each([
  [
    'linked by an unobserved `any`',
    (root: CancellationToken) => CancellationToken.any([root, new CancellationToken()]),
  ],
  [
    'linked by an unobserved `all`',
    (root: CancellationToken) => CancellationToken.all([root, new CancellationToken()]),
  ],
  ['given children of their own', (root: CancellationToken) => root.childToken().childToken()],
  ['given a deadline', (root: CancellationToken) => root.withTimeout(60_000)],
  ['given a deadline that can be renewed', (root: CancellationToken) => root.renewable(60_000).token],
  ['given an unused `cancelled()`', (root: CancellationToken) => root.childToken().cancelled() as object],
] as const)('children that were %s, read, and dropped without dispose are collected', async (_, make) => {
  const root = new CancellationToken();
  const left = await survivors(many, () => {
    const made = make(root);
    if (made instanceof CancellationToken) check(!made.isCancelled);
    return made;
  });
  expect([left, isBare(root)]).toEqual([0, true]);
});

const used: [string, (token: CancellationToken) => void][] = [
  ['awaited', (token: CancellationToken) => void token.cancelled().then(nothing)],
  ['given a callback', (token: CancellationToken) => void token.onCancelled(nothing)],
  [
    'linked by an observed `any`',
    (token: CancellationToken) => void CancellationToken.any([token]).onCancelled(nothing),
  ],
  ['given a signal', (token: CancellationToken) => void token.signal],
];

test.each(used)('children that were %s and then cancelled are collected, and nothing is left', async (_, use) => {
  const root = new CancellationToken();
  const left = await survivors(20_000, () => {
    const child = root.childToken();
    use(child);
    child.cancel();
    return child;
  });
  expect([left, isBare(root)]).toEqual([0, true]);
});

test('observed `any` are collected once disposed, and so are the tokens below them', async () => {
  const root = new CancellationToken();
  const left = await survivors(many, () => {
    const any = CancellationToken.any([root, new CancellationToken()]);
    const child = any.childToken();
    child.onCancelled(nothing);
    child.dispose();
    any.onCancelled(nothing);
    any.dispose();
    return any;
  });
  expect([left, isBare(root)]).toEqual([0, true]);
});

test('an observed `any` that is dropped without dispose is retained, and fires', async () => {
  const root = new CancellationToken();
  let fired = 0;
  const kept = await survivors(1_000, () => {
    const any = CancellationToken.any([root]);
    any.onCancelled(() => {
      fired++;
    });
    return any;
  });
  root.cancel();
  expect([kept, fired]).toEqual([1_000, 1_000]);
});

test('observed deadlines that are disposed leave nothing in the parent, and no timer', async () => {
  const root = new CancellationToken();
  const clock = new RefClock();
  const left = await survivors(many, () => {
    const token = root.withTimeout(60_000, { clock });
    token.childToken().onCancelled(nothing).dispose();
    token.onCancelled(nothing);
    token.dispose();
    return token;
  });
  expect([left, isBare(root), clock.refs]).toEqual([0, true, []]);
});

test('renewed and observed deadlines leave nothing in the parent and no timer, disposed or passed', async () => {
  const root = new CancellationToken();
  const clock = new RefClock();
  const left = await survivors(many, (i) => {
    const deadline = root.renewable(60_000, { clock, reason: () => 'lost' });
    const child = deadline.token.childToken();
    child.onCancelled(nothing);
    deadline.renew(90_000);
    deadline.renew(30_000);
    if (i % 2 === 0) deadline.renew(0);
    else for (const token of [deadline.token, child]) token.dispose();
    // Read, so that the half that has passed ends.
    check(deadline.token.isCancelled === (i % 2 === 0));
    return deadline;
  });
  expect([left, clock.refs.length]).toEqual([0, 0]);
});

test.each([false, true])('renewing allocates nothing (`wall`: %s)', (wall) => {
  // A clock that allocates nothing itself: it returns numbers that exist.
  const [now, day] = [0.5, 1e6 + 0.25];
  const clock = { now: () => now, wall: () => day, setTimer: () => ({}) as never, clearTimer() {} };
  const unobserved = new CancellationToken().renewable(60_000, { clock, wall });
  const observed = new CancellationToken().renewable(60_000, { clock, wall });
  observed.token.onCancelled(nothing);
  const renew = (): void => {
    unobserved.renew(60_000);
    observed.renew(60_000.5, 0.25);
  };
  // Until the optimiser has compiled it.
  for (let i = 0; i < 50_000; i++) renew();
  expect(bytesAllocated(turns / 10, renew)).toBeLessThan(1);
});

test('awaiting a child with a deadline and disposing it moves the waiter up, and ends with it', async () => {
  const root = new CancellationToken();
  const parent = root.childToken();
  const clock = new RefClock();
  let woken = 0;
  const left = await survivors(1_000, () => {
    const child = parent.withTimeout(60_000, { clock });
    void child.cancelled().then(() => {
      woken++;
    });
    child.dispose();
    return child;
  });
  expect(clock.refs).toEqual([]);
  parent.cancel();
  await collectGarbage();
  expect([left, woken, isBare(root)]).toEqual([1_000, 1_000, true]);
});

const run: [string, (token: CancellationToken) => Promise<unknown>][] = [
  ['a promise', (token: CancellationToken) => token.runUntilCancelled(Promise.resolve())],
  ['a function', (token: CancellationToken) => token.runUntilCancelled(async () => {})],
  [
    'a function that listens',
    (token: CancellationToken) => token.runUntilCancelled((own) => void own.onCancelled(nothing)),
  ],
  ['a function that reads the signal', (token: CancellationToken) => token.runUntilCancelled((own) => void own.signal)],
  [
    'a function that fails',
    (token: CancellationToken) => token.runUntilCancelled(() => Promise.reject()).catch(nothing),
  ],
  ['a source', (token: CancellationToken) => wait(untilCancelled(token, CancellationToken.alreadyCancelled()))],
];

test.each(run)('running %s until a long-lived token is cancelled leaves 0 B a round', async (what, work) => {
  const root = new CancellationToken();
  const rounds = what.includes('signal') ? 20_000 : turns;
  expect(await bytesPerTurn({ turns: rounds, below: 2 }, () => work(root))).toBeLessThan(2);
  expect(isBare(root)).toBe(true);
});

test.each(['any', 'all'] as const)('a finished `%s` that is referenced retains none of its sources', async (kind) => {
  const kept: CancellationToken[] = [];
  const left = await survivors(20_000, (i) => {
    const source = new CancellationToken();
    const group = CancellationToken[kind]([source]);
    if (i % 2 === 0) group.onCancelled(nothing);
    // An error would retain the frames of its stack, and with them the token on which `cancel` was called.
    if (i % 4 < 2) source.cancel('done');
    else group.cancel('done');
    check(group.isCancelled);
    kept.push(group);
    return source;
  });
  expect([left, kept.length]).toEqual([0, 20_000]);
});

test('an unobserved child below a deadline takes no more memory than any other: 72 bytes', async () => {
  const token = CancellationToken.timeout(1e9);
  const kept: CancellationToken[] = new Array(turns * 10);
  let at = 0;
  const bytes = await bytesPerTurn({ turns, below: 73 }, () => {
    kept[at++] = token.childToken();
  });
  // Less than a byte is noise.
  expect(bytes).toBeLessThan(73);
});
