import * as exported from '@quiesce/effect';
import * as node from '@quiesce/effect/node';
import { expect, test } from 'vitest';

test('exactly these names are exported', () => {
  expect(Object.keys(exported).sort()).toEqual([
    'CauseError',
    'StreamSource',
    'acquireIn',
    'causeFromError',
    'effectClock',
    'effectFromScope',
    'effectFromSelect',
    'effectFromSource',
    'effectFromWork',
    'errorFromCause',
    'openScope',
    'reasonFromCause',
    'runEffect',
    'sourceFromDeferred',
    'sourceFromQueue',
    'sourceFromStream',
    'sourceFromSubscription',
    'streamFromBroadcast',
    'streamFromChannel',
    'streamFromSource',
  ]);
  expect(Object.keys(node).sort()).toEqual(['CurrentShutdown', 'inFlight', 'launch', 'shutdownHook', 'shutdownLayer']);
});
