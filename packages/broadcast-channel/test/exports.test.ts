import * as exported from '@quiesce/broadcast-channel';
import * as testing from '@quiesce/broadcast-channel/testing';
import { expect, test } from 'vitest';

test('exactly these names are exported', () => {
  expect(Object.keys(exported).sort()).toEqual(['LaggedError', 'broadcast']);
});

test('exactly these names are exported for tests', () => {
  expect(Object.keys(testing)).toEqual(['retained']);
});
