import * as exported from '@quiesce/channel';
import { expect, test } from 'vitest';

test('exactly these names are exported', () => {
  expect(Object.keys(exported).sort()).toEqual([
    'Barrier',
    'Mutex',
    'Notify',
    'OnceCell',
    'RwLock',
    'Semaphore',
    'SendError',
    'channel',
    'oneshot',
    'unboundedChannel',
    'watch',
  ]);
});
