import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { memoryEngine } from '@quiesce/fleet';
import { engineContract } from '@quiesce/fleet/testing';
import { describe, expect, it } from 'vitest';
import type { asMemoryEngine } from '../src/memory-engine.ts';

/** The class of the engine. Only its type is imported, because the build has a copy of the class. */
type Internals = NonNullable<ReturnType<typeof asMemoryEngine>>;

describe('the engine in memory', () => {
  for (const { name, run } of engineContract) {
    it.concurrent(name, () => run(memoryEngine()));
  }

  it('forgets the inboxes of processes that have ended', async () => {
    const clock = new VirtualClock();
    const engine = memoryEngine({ clock });
    const connection = await engine.connect('shop', 60_000);
    for (let n = 0; n < 100; n++) await connection.append([{ log: `api/${n}`, id: 'a', body: '', ttl: 1_000 }]);
    await connection.append([{ log: 'api/0', id: 'b', body: '', ttl: 2_000 }]);
    await clock.advance(1_000);
    await connection.meet(undefined);
    expect([...((engine as Internals).copy().get('shop')?.logs.keys() ?? [])]).toEqual(['api/0']);
  });
});
