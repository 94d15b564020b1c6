// The asynchronous context of each callback: documented here and in the README, the same on Node 20 and later.
import { AsyncLocalStorage } from 'node:async_hooks';
import { CancellationToken } from '@quiesce/cancellation-token';
import { Scope, scope } from '@quiesce/scope';
import { afterAll, describe, expect, it } from 'vitest';
import { turn } from './vocabulary.ts';

const storage = new AsyncLocalStorage<string>();
// While one is enabled, Node 20.19 ends the process when a later test overflows the stack.
afterAll(() => storage.disable());

describe('an AsyncLocalStorage', () => {
  it('in a task has the value of its spawn call', async () => {
    const seen: unknown[] = [];
    const look = async (): Promise<void> => {
      seen.push(storage.getStore());
      await turn();
      seen.push(storage.getStore());
    };
    await storage.run('scope', () =>
      scope(async (s) => {
        s.spawn(look);
        storage.run('spawn', () => s.spawn(look));
      }),
    );
    expect(seen).toEqual(['scope', 'spawn', 'scope', 'spawn']);
  });

  it('in a cleanup has the value at the creation of its scope, wherever it was deferred and the last task ended', async () => {
    const seen: unknown[] = [];
    await storage.run('made', () =>
      scope(async (s) => {
        storage.run('deferred', () => s.defer(() => seen.push(storage.getStore())));
        storage.run('spawned', () => s.spawn(turn));
        s.defer(async () => {
          await turn();
          seen.push(storage.getStore());
        });
      }),
    );
    expect(seen).toEqual(['made', 'made']);
  });

  it('in a cleanup of a block has that value, too, wherever the block ends', async () => {
    for (const end of ['join', 'close'] as const) {
      const seen: unknown[] = [];
      const s = storage.run('made', () => new Scope());
      s.defer(() => seen.push(storage.getStore()));
      storage.run('spawned', () => s.spawn(turn));
      await storage.run('ended', () => s[end]());
      expect(seen).toEqual(['made']);
    }
  });

  it('in a cancellation callback has the value of the canceller, as in the platform’s listeners', async () => {
    const seen: unknown[] = [];
    const outer = new CancellationToken();
    const done = scope(
      async (s) => {
        storage.run('spawned', () => s.spawn((token) => void token.onCancelled(() => seen.push(storage.getStore()))));
        storage.run('canceller', () => outer.cancel());
      },
      { signal: outer },
    );
    await done.catch(() => {});
    expect(seen).toEqual(['canceller']);
  });
});
