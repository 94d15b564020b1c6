import * as exported from '@quiesce/broadcast-channel';
import { expect, test } from 'vitest';

test('exactly these names are exported', () => {
  expect(Object.keys(exported).sort()).toEqual(['LaggedError', 'broadcast']);
});
