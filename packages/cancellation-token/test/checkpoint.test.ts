import { CancellationToken, checkpoint } from '@quiesce/cancellation-token';
import { afterEach, describe, expect, it, vi } from 'vitest';

describe('checkpoint', () => {
  afterEach(() => vi.restoreAllMocks());

  it('lets a macrotask run after at most 1,024 calls, however quick they are', async () => {
    vi.spyOn(performance, 'now').mockReturnValue(0);
    let isThrough = false;
    setImmediate(() => {
      isThrough = true;
    });
    let count = 0;
    for (; !isThrough && count < 5_000; count++) await checkpoint();
    expect(isThrough).toBe(true);
    expect(count).toBeLessThanOrEqual(1_024);
  });

  it('lets one run immediately when the last yield was long ago', async () => {
    let now = 1e15; // later than any clock, including one that counts from 1970
    vi.spyOn(performance, 'now').mockImplementation(() => now);
    await checkpoint();
    let turns = 0;
    const count = (): void => {
      turns++;
    };
    setImmediate(count);
    await checkpoint();
    expect(turns).toBe(0);
    now += 11;
    await checkpoint();
    expect(turns).toBe(1);
  });

  it('throws the reason, verbatim, when the token or signal is already cancelled', async () => {
    const token = CancellationToken.alreadyCancelled('stop');
    await expect(checkpoint(token)).rejects.toBe('stop');
    await expect(checkpoint(token.signal)).rejects.toBe('stop');
  });

  it('throws the reason when the token is cancelled during the yield', async () => {
    let now = 2e15;
    vi.spyOn(performance, 'now').mockImplementation(() => now);
    await checkpoint();
    now += 11;
    const token = new CancellationToken();
    const waiting = checkpoint(token);
    token.cancel('during the yield');
    await expect(waiting).rejects.toBe('during the yield');
  });

  it('refuses a value that is not a token', async () => {
    await expect(checkpoint({} as never)).rejects.toThrow(TypeError);
  });
});
