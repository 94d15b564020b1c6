import {
  CancellationToken,
  isCancellation,
  isCancellationOf,
  setUncaughtHandler,
  wait,
} from '@quiesce/cancellation-token';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const revoked = Proxy.revocable({}, {});
revoked.revoke();
const unreadable = {
  get name(): string {
    throw new Error('this error cannot be read');
  },
  get cause(): string {
    throw new Error('nor can this');
  },
};

describe('isCancellation and isCancellationOf', () => {
  it('never throw, whatever value was thrown', () => {
    const token = new CancellationToken();
    token.cancel();
    for (const thrown of [unreadable, revoked.proxy, undefined, null, 0, Symbol('x'), () => {}]) {
      expect(isCancellation(thrown)).toBe(false);
      expect(isCancellationOf(thrown, token)).toBe(false);
    }
  });
});

describe('a stack that overflows inside `cancel`', () => {
  // A callback without room on the stack has failed, and that is reported.
  beforeEach(() => setUncaughtHandler(() => {}));
  afterEach(() => setUncaughtHandler(undefined));

  it('does not end the notification of other tokens', () => {
    // Wherever the stack ends: during the marking, during the notification, inside a callback.
    for (let pad = 0; pad < 40; pad++) {
      const overflow = (depth: number): void => {
        const token = new CancellationToken();
        token.onCancelled(() => {});
        try {
          overflow(depth + 1);
        } finally {
          token.cancel();
        }
      };
      const deeper = (left: number): void => (left > 0 ? deeper(left - 1) : overflow(0));
      expect(() => deeper(pad)).toThrow();
      const token = new CancellationToken();
      let isCalled = false;
      token.onCancelled(() => {
        isCalled = true;
      });
      token.cancel();
      expect(isCalled).toBe(true);
    }
  }, 240_000);
});

describe('a callback that can no longer run', () => {
  it('is not retained by its registration', () => {
    const disposed = new CancellationToken();
    disposed.dispose();
    for (const token of [cancelled('stop'), disposed]) {
      const registration = token.onCancelled(() => {});
      expect(Reflect.get(registration, 'fn')).toBeUndefined();
      expect(registration.dispose()).toBe(false);
    }
  });
});

describe('a loop over ready sources', () => {
  it('lets a macrotask run', async () => {
    let isThrough = false;
    setImmediate(() => {
      isThrough = true;
    });
    const token = cancelled('ready');
    let count = 0;
    for (; !isThrough && count < 5_000; count++) await wait(token);
    expect(isThrough).toBe(true);
  });
});

function cancelled(reason: string): CancellationToken {
  const token = new CancellationToken();
  token.cancel(reason);
  return token;
}
