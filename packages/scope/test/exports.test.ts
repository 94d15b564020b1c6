import * as exported from '@quiesce/scope';
import { expect, test } from 'vitest';

test('exactly these names are exported', () => {
  expect(Object.keys(exported).sort()).toEqual([
    'CleanupTimeoutError',
    'JoinSet',
    'KeyConflictError',
    'LeakError',
    'Scope',
    'ScopeError',
    'TaskTracker',
    'formatTree',
    'scope',
    'shield',
  ]);
});
