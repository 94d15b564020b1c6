import * as exported from '@quiesce/select';
import { expect, test } from 'vitest';

test('exactly these names are exported', () => {
  expect(Object.keys(exported).sort()).toEqual(['CleanupTimeoutError', 'SelectError', 'branchOf', 'select', 'sleep']);
  expect(Object.keys(exported.select)).toEqual(['biased']);
});
