import * as exported from '@quiesce/worker-pool';
import { expect, test } from 'vitest';

test('exactly these names are exported', () => {
  expect(Object.keys(exported).sort()).toEqual(['QueueFullError', 'ResourcePool', 'WorkerPool']);
});
