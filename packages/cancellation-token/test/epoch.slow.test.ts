// Alone in its file: it uses up a counter of the whole process, and must stay right afterwards.
import { CancellationToken } from '@quiesce/cancellation-token';
import { expect, test, vi } from 'vitest';
import { chainBelow } from './helpers/script.ts';

vi.setConfig({ testTimeout: 120_000 });

test('the state stays right before, during and after more than four million cancellations', () => {
  const root = new CancellationToken();
  const leaf = chainBelow(root, 3);
  const early = chainBelow(root, 3);
  let wrong = 0;
  for (let i = 0; i < 2 ** 22 + 10; i++) {
    const token = new CancellationToken();
    token.cancel('no stack');
    // Every read at both ends, some in between.
    if (i > 1_000 && i < 2 ** 22 - 1_000 && i % 16 !== 0) continue;
    const other = new CancellationToken();
    const child = other.childToken();
    if (child.isCancelled || leaf.isCancelled) wrong++;
    other.cancel('no stack');
    if (!child.isCancelled) wrong++;
  }
  expect(wrong).toBe(0);
  expect(early.isCancelled).toBe(false);
  const late = chainBelow(root, 3);
  expect([leaf, early, late].map((token) => token.isCancelled)).toEqual([false, false, false]);
  root.cancel('stop');
  expect([leaf, early, late].map((token) => token.reason)).toEqual(['stop', 'stop', 'stop']);
});
