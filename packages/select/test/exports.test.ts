import * as exported from '@quiesce/select';
import { expect, test } from 'vitest';

test('the package exports these names and no others', () => {
  expect(Object.keys(exported).sort()).toEqual([
    'CleanupTimeoutError',
    'RetryError',
    'SelectError',
    'branchOf',
    'interval',
    'intervalAt',
    'match',
    'moveOnAfter',
    'repeat',
    'retry',
    'select',
    'selectEach',
    'settle',
    'sleep',
    'sleepUntil',
    'timeout',
    'timeoutAt',
    'trySelect',
  ]);
  for (const one of [exported.select, exported.trySelect, exported.selectEach]) {
    expect(Object.keys(one)).toEqual(['biased']);
  }
});
