import * as exported from '@quiesce/channel';
import { expect, test } from 'vitest';

test('exactly these names are exported', () => {
  expect(Object.keys(exported).sort()).toEqual([
    'Mutex',
    'Semaphore',
    'SendError',
    'channel',
    'oneshot',
    'unboundedChannel',
    'watch',
  ]);
});
