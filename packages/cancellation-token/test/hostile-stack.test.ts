// The end of the stack is a place where cleanups run: `using guard = token.dropGuard()` in a recursion that runs away.
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

/** Everybody else still works. */
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
  // A callback for which there was no room has failed, and that is reported.
  beforeEach(() => setUncaughtHandler(() => {}));
  afterEach(() => setUncaughtHandler(undefined));

  test('a tree that is cancelled leaves everybody else alone', () => {
    for (let turn = 0; turn < 20; turn++) {
      const root = new CancellationToken();
      for (const token of [root, root.childToken(), root.childToken().childToken(), root.withTimeout(1e9)]) {
        token.onCancelled(() => {});
      }
      unwinding(() => void root.cancel('overflow'));
      expect(root.isCancelled).toBe(true);
      expectHealth();
    }
  });

  test('a guard that cancels leaves everybody else alone', () => {
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

  test('a group that begins to listen leaves other groups alone', () => {
    const root = new CancellationToken();
    unwinding(() => void CancellationToken.any([root, CancellationToken.any([root])]).onCancelled(() => {}));
    expectHealth();
  });
});
