import { memoryEngine } from '@quiesce/fleet';
import { engineContract } from '@quiesce/fleet/testing';
import { describe, it } from 'vitest';

describe('the engine in memory', () => {
  for (const { name, run } of engineContract) {
    it.concurrent(name, () => run(memoryEngine()));
  }
});
