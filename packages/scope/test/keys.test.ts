import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { scope } from '@quiesce/scope';
import { describe, expect, it } from 'vitest';
import { deaf, obedient, turn } from './vocabulary.ts';

describe('a task with a key', () => {
  it('replaces the running task with that key, which is cancelled and still awaited', async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    await clock.run(() =>
      scope(async (s) => {
        const first = s.spawn(
          obedient(clock, 10, () => log.push('first stopped')),
          { key: 'user 1', name: 'sync' },
        );
        const second = s.spawn(async () => log.push('second'), { key: 'user 1' });
        expect(s.task('user 1')).toBe(second);
        const outcome = await first.settled();
        expect(outcome).toMatchObject({
          status: 'cancelled',
          reason: { message: 'Task "sync" was replaced by a task with the same key' },
        });
      }),
    );
    expect(log).toEqual(['second', 'first stopped']);
  });

  it("does not start with onConflict: 'refuse' when the key is taken", async () => {
    await scope(async (s) => {
      let started = 0;
      const { work, fulfil } = deaf();
      s.spawn(work, { key: 7 });
      expect(() => s.spawn(() => started++, { key: 7, onConflict: 'refuse' })).toThrow(
        expect.objectContaining({ name: 'KeyConflictError', code: 'ERR_KEY_CONFLICT', key: 7 }),
      );
      s.spawn(() => started++, { key: 8, onConflict: 'refuse' });
      fulfil();
      await turn();
      s.spawn(() => started++, { key: 7, onConflict: 'refuse' });
      expect(started).toBe(2);
    });
  });

  it('frees its key when it ends, unless another task has the key by then', async () => {
    await scope(async (s) => {
      const key = { any: 'object' };
      const { work, fulfil } = deaf();
      const first = s.spawn(work, { key });
      expect(s.task(key)).toBe(first);
      expect(s.task({ any: 'object' })).toBe(undefined);
      const other = deaf();
      const second = s.spawn(other.work, { key });
      fulfil();
      await first;
      expect(s.task(key)).toBe(second);
      other.fulfil();
      await second;
      expect(s.task(key)).toBe(undefined);
    });
  });

  it('is already registered when the cancellation of the earlier task runs callbacks', async () => {
    const seen: boolean[] = [];
    await scope(async (s) => {
      s.spawn(
        async (token) => {
          token.onCancelled(() => seen.push(s.task('k')?.name === 'second'));
          await token.cancelled();
        },
        { key: 'k', name: 'first' },
      );
      s.spawn(async () => {}, { key: 'k', name: 'second' });
    });
    expect(seen).toEqual([true]);
  });

  it('that is replaced by a callback of its predecessor starts cancelled', async () => {
    const log: string[] = [];
    await scope(async (s) => {
      s.spawn(
        async (token) => {
          token.onCancelled(() => s.spawn(async () => log.push('third'), { key: 'k' }));
          await token.cancelled();
        },
        { key: 'k' },
      );
      s.spawn(async (token) => log.push(`second, cancelled: ${token.isCancelled}`), { key: 'k' });
    });
    expect(log).toEqual(['third', 'second, cancelled: true']);
  });

  it('throws for a wrong option value', async () => {
    await scope((s) => {
      expect(() => s.spawn(() => {}, { key: 1, onConflict: 'queue' as never })).toThrow(
        `spawn: onConflict must be 'replace' or 'refuse', got the string "queue"`,
      );
      expect(() => s.spawn(() => {}, { onFailure: 'isolated' as never })).toThrow(TypeError);
    });
  });
});
