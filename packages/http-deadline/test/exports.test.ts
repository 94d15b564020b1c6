import * as exported from '@quiesce/http-deadline';
import { expect, test } from 'vitest';

test('exactly these names are exported', () => {
  expect(Object.keys(exported).sort()).toEqual(['deadlineFetch', 'extractDeadline', 'injectDeadline']);
});
