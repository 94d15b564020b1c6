// Options of select and of timers: an unknown option is a mistake of the caller. Branches are own properties.
import { CancellationToken } from '@quiesce/cancellation-token';
import {
  interval,
  intervalAt,
  moveOnAfter,
  select,
  selectEach,
  sleep,
  sleepUntil,
  timeout,
  timeoutAt,
  trySelect,
} from '@quiesce/select';
import { afterEach, describe, expect, test } from 'vitest';

const ready = CancellationToken.alreadyCancelled('ready');

test.each<[string, (options: never) => unknown, string, string]>([
  ['select', (options) => select({ ready }, options), 'token', 'signal'],
  ['select.biased', (options) => select.biased({ ready }, options), 'cleanUpTimeout', 'cleanupTimeout'],
  ['selectEach', (options) => selectEach({ ready }, options), 'abortSignal', 'signal'],
  ['selectEach.biased', (options) => selectEach.biased({ ready }, options), 'Clock', 'clock'],
  ['trySelect', (options) => trySelect({ ready }, options), 'rand', 'random'],
  ['timeout', (options) => timeout(5, async () => 1, options), 'abandoned', 'abandon'],
  ['timeoutAt', (options) => timeoutAt(new Date(), async () => 1, options), 'token', 'signal'],
  ['moveOnAfter', (options) => moveOnAfter(5, async () => 1, options), 'clok', 'clock'],
  ['sleep', (options) => sleep(5, options), 'clocks', 'clock'],
  ['sleepUntil', (options) => sleepUntil(5, options), 'clocks', 'clock'],
  ['interval', (options) => interval(5, options), 'miss', 'missed'],
  ['intervalAt', (options) => intervalAt(5, 5, options), 'missedTicks', 'missed'],
])('%s throws for an unknown option, and suggests the intended one', async (call, run, wrong, right) => {
  const expected = new TypeError(`${call}: there is no option "${wrong}"; did you mean "${right}"?`);
  await expect((async () => run({ [wrong]: undefined } as never))()).rejects.toEqual(expected);
});

describe('a property of Object.prototype', () => {
  const outcome = { branch: 'ready', value: 'ready' };
  afterEach(() => void Reflect.deleteProperty(Object.prototype, 'injected'));

  test.each<[string, () => unknown, object]>([
    ['select', () => select({ ready: sleep(1).then(() => 'ready') }), outcome],
    ['trySelect', () => trySelect({ never: new CancellationToken(), ready }), { ok: true, ...outcome }],
    ['selectEach', async () => (await selectEach({ ready: sleep(1).then(() => 'ready') }).next()).value, outcome],
  ])('is no branch of %s', async (_, run, expected) => {
    const injected = { value: () => 'injected', enumerable: true, configurable: true, writable: true };
    Object.defineProperty(Object.prototype, 'injected', injected);
    expect(await run()).toEqual(expected);
  });
});
