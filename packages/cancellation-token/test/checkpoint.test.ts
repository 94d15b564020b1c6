import { CancellationToken, checkpoint } from '@quiesce/cancellation-token';
import { afterEach, describe, expect, it, vi } from 'vitest';

describe('checkpoint', () => {
  afterEach(() => vi.restoreAllMocks());

  it('lets a macrotask through after at most 1,024 of them, however quick they are', async () => {
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

  it('lets one through at once when the last turn was long ago', async () => {
    let now = 1e15; // later than any clock, also one that counts from 1970
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

  it('throws the reason, verbatim, when the token or signal is cancelled before it', async () => {
    const token = CancellationToken.alreadyCancelled('stop');
    await expect(checkpoint(token)).rejects.toBe('stop');
    await expect(checkpoint(token.signal)).rejects.toBe('stop');
  });

  it('throws it when it is cancelled during the turn', async () => {
    let now = 2e15;
    vi.spyOn(performance, 'now').mockImplementation(() => now);
    await checkpoint();
    now += 11;
    const token = new CancellationToken();
    const waiting = checkpoint(token);
    token.cancel('meanwhile');
    await expect(waiting).rejects.toBe('meanwhile');
  });

  it('refuses what is no token', async () => {
    await expect(checkpoint({} as never)).rejects.toThrow(TypeError);
  });
});
