import * as exported from '@quiesce/shutdown';
import { expect, test } from 'vitest';

test('exactly these names are exported', () => {
  expect(Object.keys(exported).sort()).toEqual([
    'HookError',
    'Shutdown',
    'Terminal',
    'checkGracePeriod',
    'checkSignals',
    'formatLogEvent',
    'formatReport',
    'logEventToJson',
    'reportToJson',
    'runMain',
    'shutdownChannel',
    'shutdownWithTimeout',
  ]);
});
