import { cancelEverywhere, explore, type World } from '@quiesce/testing';
import { expect, test } from 'vitest';

const wrong: [string, unknown, new (text: string) => Error][] = [
  ['bound', -1, RangeError],
  ['bound', 1.5, RangeError],
  ['bound', '2', TypeError],
  ['strategy', 'dfs', TypeError],
  ['seed', -1, RangeError],
  ['depth', 0, RangeError],
  ['budget', 5, TypeError],
  ['budget', { runs: 5 }, TypeError],
  ['budget', { schedules: 0 }, RangeError],
  ['budget', { ms: 0 }, RangeError],
  ['budget', { ms: '5' }, TypeError],
  ['demand', 3, RangeError],
  ['overlap', 'some', TypeError],
  ['late', 'yes', TypeError],
  ['commutes', true, TypeError],
  ['replay', 5, TypeError],
  ['replay', '3:', TypeError],
  ['replay', '3:1,2:1', TypeError],
  ['leftovers', false, TypeError],
  ['ignore', 'Timeout', TypeError],
  ['fairAfter', 8, TypeError],
  ['fairAfter', { timers: 0 }, RangeError],
  ['steps', 0, RangeError],
  ['globals', 1, TypeError],
  ['now', 'today', TypeError],
  ['now', Number.NaN, RangeError],
  ['progress', {}, TypeError],
  ['outcome', 'reason', TypeError],
  ['bounds', 2, TypeError],
];

test.each(wrong)('the option %s: %s is refused, and named', async (option, value, kind) => {
  let calls = 0;
  const run = explore(() => calls++, { [option]: value });
  await expect(run).rejects.toThrow(kind);
  await expect(run).rejects.toThrow(new RegExp(`^explore: .*${option}`));
  expect(calls).toBe(0);
});

test('`outcome` is an option of `cancelEverywhere`', async () => {
  await expect(cancelEverywhere(() => {}, { outcome: 'value' as 'any' })).rejects.toThrow(/^cancelEverywhere: outcome/);
  await expect(explore(5 as unknown as () => void)).rejects.toThrow(/^explore: the test must be a function/);
});

const calls: [string, (world: World) => unknown, RegExp][] = [
  ['external', (world) => world.external('load', []), /world\.external: load must have at least one outcome/],
  ['external', (world) => world.external('load', 5 as never), /world\.external: the answer must be a function/],
  ['external', (world) => world.external('load', [1], { effects: 'call' } as never), /no option "effects"/],
  [
    'external',
    (world) => world.external('load', [1], { within: 0 }),
    /world\.external: within must be milliseconds above 0/,
  ],
  ['external', (world) => world.external('load', [1], { effect: 'later' as never }), /world\.external: effect/],
  ['events', (world) => world.events('frames', 5 as never, () => {}), /world\.events: values must be iterable/],
  ['events', (world) => world.events('frames', [1], () => {}, { batch: 0 }), /world\.events: batch/],
  ['signal', (world) => world.signal('stop', { why: 1 } as never), /world\.signal: there is no option "why"/],
  ['anytime', (world) => world.anytime('act', 5 as never), /world\.anytime: act must be a function/],
  ['choose', (world) => world.choose('size', []), /world\.choose: values must be a non-empty array/],
  [
    'resource',
    (world) => world.resource('file', { inside: {} as never }),
    /world\.resource: inside must be a resource/,
  ],
  ['track', (world) => world.track('task', 5 as never), /world\.track: promise must be a promise/],
];

test.each(calls)('`world.%s` refuses wrong arguments', async (_, call, message) => {
  await explore((world) => {
    expect(() => call(world)).toThrow(message);
  });
});

test('a time that is not a number is a TypeError, and one out of its range a RangeError', async () => {
  await explore((world) => {
    const timers = [
      (ms: unknown) => world.clock.setTimer(ms as number, () => {}, { ref: true }),
      (ms: unknown) => AbortSignal.timeout(ms as number),
      (ms: unknown) => world.external('load', [1], { within: ms as number }),
    ];
    for (const set of timers) {
      for (const ms of ['5', null, Symbol('5'), 5n]) expect(() => set(ms)).toThrow(TypeError);
      for (const ms of [-1, Number.NaN]) expect(() => set(ms)).toThrow(RangeError);
    }
  });
});

test('`QUIESCE_REPLAY` is the default of `replay`', async () => {
  process.env['QUIESCE_REPLAY'] = '-';
  try {
    expect(await explore(() => {})).toMatchObject({ stoppedBy: 'replay', scheduleCount: 1 });
    process.env['QUIESCE_REPLAY'] = 'wrong';
    await expect(explore(() => {})).rejects.toThrow(/^explore: QUIESCE_REPLAY must be a schedule string such as/);
  } finally {
    delete process.env['QUIESCE_REPLAY'];
  }
});
