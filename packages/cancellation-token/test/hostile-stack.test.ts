// Cleanups run at the end of the stack: `using guard = token.dropGuard()` in a runaway recursion.
import { CancellationToken, setUncaughtHandler } from '@quiesce/cancellation-token';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

/** Does the same in each frame of a recursion, on its way back from the end of the stack. */
function unwinding(act: () => void): void {
  const frame = (): void => {
    try {
      frame();
    } finally {
      act();
    }
  };
  expect(frame).toThrow(RangeError);
}

/** Checks that all other tokens still work. */
function expectHealth(): void {
  const root = new CancellationToken();
  const log: string[] = [];
  root.onCancelled(() => log.push('root'));
  root.childToken().onCancelled(() => log.push('child'));
  CancellationToken.any([root]).onCancelled(() => log.push('group'));
  root.cancel();
  expect(log).toEqual(['root', 'child', 'group']);
}

describe('at the end of the stack', () => {
  // A callback without room on the stack has failed, and that is reported.
  beforeEach(() => setUncaughtHandler(() => {}));
  afterEach(() => setUncaughtHandler(undefined));

  test('cancelling a tree does not affect other tokens', () => {
    for (let round = 0; round < 20; round++) {
      const root = new CancellationToken();
      for (const token of [root, root.childToken(), root.childToken().childToken(), root.withTimeout(1e9)]) {
        token.onCancelled(() => {});
      }
      unwinding(() => void root.cancel('overflow'));
      expect(root.isCancelled).toBe(true);
      expectHealth();
    }
  });

  test('a guard that cancels does not affect other tokens', () => {
    const root = new CancellationToken();
    root.childToken().onCancelled(() => {});
    const frame = (): void => {
      using _ = root.dropGuard();
      frame();
    };
    expect(frame).toThrow();
    expect(root.isCancelled).toBe(true);
    expectHealth();
  });

  test('a group that starts to listen does not affect other groups', () => {
    const root = new CancellationToken();
    unwinding(() => void CancellationToken.any([root, CancellationToken.any([root])]).onCancelled(() => {}));
    expectHealth();
  });
});
