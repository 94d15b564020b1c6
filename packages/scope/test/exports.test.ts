import * as exported from '@quiesce/scope';
import { expect, test } from 'vitest';

test('the package exports these names and no others', () => {
  expect(Object.keys(exported).sort()).toEqual([
    'CleanupTimeoutError',
    'JoinSet',
    'KeyConflictError',
    'LeakError',
    'RetryError',
    'Scope',
    'ScopeError',
    'TaskTracker',
    'drainable',
    'formatTree',
    'scope',
    'shield',
  ]);
});
