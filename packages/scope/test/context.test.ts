// Which asynchronous context what sees: stated here and in the README, the same on Node 20 and later.
import { AsyncLocalStorage } from 'node:async_hooks';
import { CancellationToken } from '@quiesce/cancellation-token';
import { Scope, scope } from '@quiesce/scope';
import { afterAll, describe, expect, it } from 'vitest';
import { turn } from './vocabulary.ts';

const storage = new AsyncLocalStorage<string>();
// While one is enabled, Node 20.19 ends the process when a later test overflows the stack.
afterAll(() => storage.disable());

describe('an AsyncLocalStorage', () => {
  it('is for a task that of where it was spawned', async () => {
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

  it('is for a cleanup that of where its scope was made, wherever it was deferred and the last task ended', async () => {
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

  it('is for a cleanup of a block the same, wherever the block ends', async () => {
    for (const end of ['join', 'close'] as const) {
      const seen: unknown[] = [];
      const s = storage.run('made', () => new Scope());
      s.defer(() => seen.push(storage.getStore()));
      storage.run('spawned', () => s.spawn(turn));
      await storage.run('ended', () => s[end]());
      expect(seen).toEqual(['made']);
    }
  });

  it('is for a cancellation callback that of the canceller, as for the platform’s listeners', async () => {
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
