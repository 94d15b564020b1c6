import * as main from '@quiesce/cancellation-token';
import * as testing from '@quiesce/cancellation-token/testing';
import { expect, test } from 'vitest';

test('the package exports these names and no others', () => {
  expect(Object.keys(main).sort()).toEqual([
    'CancellationToken',
    'CancelledError',
    'CleanupTimeoutError',
    'ClosedError',
    'PENDING',
    'RetryError',
    'TimeoutError',
    'asFailingSource',
    'asSource',
    'checkpoint',
    'consumeBudget',
    'consumeSlice',
    'isCancellation',
    'isCancellationOf',
    'isCancelledError',
    'isClosedError',
    'isSource',
    'isTimeoutError',
    'reportUncaught',
    'setUncaughtHandler',
    'source',
    'sourcePromise',
    'systemClock',
    'wait',
    'waiter',
  ]);
});

test('its testing entry exports these names and no others', () => {
  expect(Object.keys(testing)).toEqual(['VirtualClock']);
});
