// Foreign signals: the memory that following leaves on them, and signals that no other code references.
import { getEventListeners } from 'node:events';
import { CancellationToken } from '@quiesce/cancellation-token';
import { expect, test } from 'vitest';
import { bytesPerTurn, collectGarbage } from '../../../test/leak/leak.ts';

const nothing = (): void => {};

test('one foreign signal has one listener with 10,000 observed children below it, and none after', async () => {
  const { signal } = new AbortController();
  const listeners = (): number => getEventListeners(signal, 'abort').length;
  const children: CancellationToken[] = [];
  for (let i = 0; i < 10_000; i++) {
    const child = CancellationToken.from(signal).childToken();
    child.onCancelled(nothing);
    children.push(child);
  }
  expect(listeners()).toBe(1);
  for (const child of children.splice(0)) child.dispose();
  expect(listeners()).toBe(0);
});

const followers: [string, (signal: AbortSignal) => CancellationToken][] = [
  ['from', (signal) => CancellationToken.from(signal)],
  ['any', (signal) => CancellationToken.any([signal])],
];

test.each(followers)(
  'followers made by `%s` that are created and disposed leave 0 B a round on the signal',
  async (_, make) => {
    const { signal } = new AbortController();
    const growth = await bytesPerTurn({ turns: 20_000, below: 2 }, () => {
      const token = make(signal);
      token.onCancelled(nothing);
      token.dispose();
    });
    expect(growth).toBeLessThan(2);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  },
);

/** Tokens whose signals only the platform references, if it does. */
const forgotten: [string, () => CancellationToken][] = [
  ['follows AbortSignal.timeout', () => CancellationToken.from(AbortSignal.timeout(50))],
  [
    'is linked to one by CancellationToken.any',
    () => CancellationToken.any([AbortSignal.timeout(50), new AbortController().signal]),
  ],
  ['is linked to one by CancellationToken.all', () => CancellationToken.all([AbortSignal.timeout(50)])],
];

test.each(forgotten)('an observed token that %s is notified after a collection', async (_, make) => {
  const fired = new Promise<unknown>((resolve) => void make().childToken().onCancelled(resolve));
  await collectGarbage();
  // The platform's timer does not keep the process alive.
  const holding = setInterval(nothing, 1 << 30);
  expect(await fired).toMatchObject({ name: 'TimeoutError' });
  clearInterval(holding);
});

test.each(forgotten)('an unobserved token that %s has the right state after a collection', async (_, make) => {
  const token = make();
  await collectGarbage();
  // Set later and longer, it fires later.
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(token.isCancelled).toBe(true);
});

test('an observed token that follows an unreferenced AbortSignal.any is notified by its sources', async () => {
  const controller = new AbortController();
  let reason: unknown;
  (() => {
    const any = AbortSignal.any([controller.signal, new AbortController().signal]);
    CancellationToken.from(any).onCancelled((given) => {
      reason = given;
    });
  })();
  await collectGarbage();
  controller.abort('why');
  expect(reason).toBe('why');
});

test('a token that follows AbortSignal.any of an unreferenced timeout fires exactly if the platform’s own signal does', async () => {
  // Node 20 collects the timeout although a dependent signal has a listener, and never fires; later versions do.
  const any = (): AbortSignal => AbortSignal.any([AbortSignal.timeout(50), new AbortController().signal]);
  const fired = { ours: false, platform: false };
  (() => {
    any().addEventListener('abort', () => {
      fired.platform = true;
    });
    CancellationToken.from(any()).onCancelled(() => {
      fired.ours = true;
    });
  })();
  await collectGarbage();
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(fired.ours).toBe(fired.platform);
});
