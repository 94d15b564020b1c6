import { scope } from '@quiesce/scope';
import { describe, expect, it } from 'vitest';

/** Nothing can be read of it: its `name` throws. */
const unreadable = {
  get name(): string {
    throw new Error('this error cannot be read');
  },
};

describe('an error that cannot be read', () => {
  it('of a task is its failure, and the scope ends', async () => {
    const result = scope(async (s) => {
      s.spawn(async (token) => {
        await token.cancelled();
        throw unreadable;
      });
      s.cancel('stop');
    });
    expect(await result.catch((error: unknown) => error)).toBe(unreadable);
  });

  it('of the body keeps neither the children from being awaited nor the cleanups from running', async () => {
    const log: string[] = [];
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    for (const thrown of [unreadable, proxy]) {
      const result = scope(async (s) => {
        s.defer(() => void log.push('cleanup'));
        s.spawn(async (token) => {
          await token.cancelled();
          log.push('child');
        });
        s.cancel('stop');
        throw thrown;
      });
      const isSame = await result.then(
        () => false,
        (error: unknown) => error === thrown,
      );
      expect(isSame).toBe(true);
    }
    expect(log).toEqual(['child', 'cleanup', 'child', 'cleanup']);
  });
});

describe('a loop over scopes that end at once', () => {
  it('lets a macrotask through', async () => {
    let isThrough = false;
    setImmediate(() => {
      isThrough = true;
    });
    let count = 0;
    for (; !isThrough && count < 5_000; count++) await scope(() => count);
    expect(isThrough).toBe(true);
  });
});
