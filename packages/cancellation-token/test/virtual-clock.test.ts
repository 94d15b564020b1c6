import { consumeBudget, type Timer } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

const sleep = (clock: VirtualClock, ms: number): Promise<void> => new Promise((resolve) => clock.setTimer(ms, resolve));

test('stands still until it is advanced', async () => {
  const clock = new VirtualClock(1_000);
  await new Promise((resolve) => setImmediate(resolve));
  expect([clock.now(), clock.wall(), clock.pendingCount]).toEqual([0, 1_000, 0]);
  await clock.advance(250);
  expect([clock.now(), clock.wall()]).toEqual([250, 1_250]);
});

test('fires in order of time, and at the same time in the order of setting', async () => {
  const clock = new VirtualClock();
  const log: string[] = [];
  for (const [name, ms] of Object.entries({ b1: 20, a: 10, b2: 20, c: 30, now: 0 })) {
    clock.setTimer(ms, () => log.push(`${name} at ${clock.now()}`));
  }
  await clock.advance(20);
  expect(log).toEqual(['now at 0', 'a at 10', 'b1 at 20', 'b2 at 20']);
  expect(clock.pendingCount).toBe(1);
  await clock.advance(9);
  expect(log).toHaveLength(4);
  await clock.advance(1);
  expect(log.at(-1)).toBe('c at 30');
});

test('never fires inside setTimer, and never fires a cleared timer', async () => {
  const clock = new VirtualClock();
  const log: string[] = [];
  clock.setTimer(0, () => log.push('zero'));
  clock.clearTimer(clock.setTimer(0, () => log.push('cleared')));
  expect([log, clock.pendingCount]).toEqual([[], 1]);
  await clock.advance(0);
  expect([log, clock.pendingCount]).toEqual([['zero'], 0]);
});

test('lets all work that a timer triggers finish before the next timer fires', async () => {
  const clock = new VirtualClock();
  const log: string[] = [];
  const work = async (): Promise<void> => {
    await sleep(clock, 10);
    for (let i = 0; i < 50; i++) await null;
    log.push(`work at ${clock.now()}`);
    await sleep(clock, 1);
    log.push(`more at ${clock.now()}`);
  };
  void work();
  clock.setTimer(12, () => log.push('timer at 12'));
  await clock.advance(12);
  expect(log).toEqual(['work at 10', 'more at 11', 'timer at 12']);
});

test('time never goes back, even when it is advanced twice at once', async () => {
  const clock = new VirtualClock();
  const seen: number[] = [];
  for (const ms of [5, 50, 500]) clock.setTimer(ms, () => seen.push(clock.now()));
  await Promise.all([clock.advance(10), clock.advance(500), clock.advance(20)]);
  expect(seen).toEqual([5, 50, 500]);
  expect(clock.now()).toBe(500);
});

test.each([-1, Number.NaN, Number.POSITIVE_INFINITY])('cannot be advanced by %d ms', async (ms) => {
  await expect(new VirtualClock().advance(ms)).rejects.toThrow(RangeError);
});

test('run advances time to the next timer whenever no work is left', async () => {
  const clock = new VirtualClock();
  const result = await clock.run(async () => {
    await sleep(clock, 3_600_000);
    await Promise.all([sleep(clock, 1_000), sleep(clock, 2_000)]);
    return clock.now();
  });
  expect([result, clock.now()]).toEqual([3_602_000, 3_602_000]);
});

test('run ends with the work, and leaves later timers set', async () => {
  const clock = new VirtualClock();
  clock.setTimer(10, () => expect.unreachable());
  expect(await clock.run(() => 'plain')).toBe('plain');
  expect([clock.now(), clock.pendingCount]).toEqual([0, 1]);
});

test('run throws the error of the work, immediately or later', async () => {
  const clock = new VirtualClock();
  const fail = (): never => {
    throw new Error('failed');
  };
  await expect(clock.run(fail)).rejects.toThrow('failed');
  await expect(clock.run(() => sleep(clock, 5).then(fail))).rejects.toThrow('failed');
});

test('run throws when the work would wait forever', async () => {
  const clock = new VirtualClock();
  const forEver = (): Promise<void> => new Promise(() => {});
  await expect(clock.run(forEver)).rejects.toThrow('no timer is set: it waits forever');
  clock.setTimer(Number.POSITIVE_INFINITY, () => {});
  await expect(clock.run(forEver)).rejects.toThrow('it waits forever');
});

/** Waits for `count` macrotasks, one after the other. */
async function macrotasks(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}

describe.each<[string, () => Promise<unknown>]>([
  [
    '10,000 ready completions, which take turns of the event loop',
    async () => {
      for (let i = 0; i < 10_000; i++) await consumeBudget();
    },
  ],
  ['20 callbacks of setImmediate, each set by the one before', () => macrotasks(20)],
  [
    'ready completions between macrotasks',
    async () => {
      for (let i = 0; i < 20; i++) {
        await macrotasks(1);
        await consumeBudget();
      }
    },
  ],
])('work that consists of %s', (_, work) => {
  test('runs to its end with no timer set', async () => {
    expect(await new VirtualClock().run(async () => work().then(() => 'done'))).toBe('done');
  });

  test('finishes before the next timer fires, and before `advance` returns, when a timer triggers it', async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    clock.setTimer(1, () => void work().then(() => log.push('work')));
    clock.setTimer(2, () => log.push('next timer'));
    clock.setTimer(3, () => void work().then(() => log.push('last work')));
    await clock.advance(3);
    expect(log).toEqual(['work', 'next timer', 'last work']);
  });
});

test('endless work does not keep time from advancing', async () => {
  let isOver = false;
  const beat = (): void => {
    if (!isOver) setImmediate(beat);
  };
  beat();
  const clock = new VirtualClock();
  await clock.run(() => sleep(clock, 1_000));
  isOver = true;
  expect(clock.now()).toBe(1_000);
});

test('two clocks that wait until nothing runs do not wait for each other', async () => {
  const clocks = [new VirtualClock(), new VirtualClock()];
  const fired: number[] = [];
  for (const clock of clocks) for (const ms of [1, 2, 3]) clock.setTimer(ms, () => fired.push(ms));
  await Promise.all(clocks.map((clock) => clock.advance(3)));
  expect(fired.sort()).toEqual([1, 1, 2, 2, 3, 3]);
});

test('timers fire in order of time, then in the order in which they were set, whatever was cleared', async () => {
  const script = fc.array(fc.record({ ms: fc.nat(20), clears: fc.option(fc.nat(50)) }), { maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(script, async (steps) => {
      const clock = new VirtualClock();
      const timers: Timer[] = [];
      const fired: number[] = [];
      let expected: { ms: number; index: number }[] = [];
      for (const [index, { ms, clears }] of steps.entries()) {
        timers.push(clock.setTimer(ms, () => fired.push(index)));
        expected.push({ ms, index });
        const cleared = clears === null ? undefined : timers[clears];
        if (cleared === undefined) continue;
        clock.clearTimer(cleared);
        expected = expected.filter((each) => each.index !== clears);
      }
      expect(clock.pendingCount).toBe(expected.length);
      await clock.advance(20);
      expected.sort((a, b) => a.ms - b.ms || a.index - b.index);
      expect(fired).toEqual(expected.map(({ index }) => index));
    }),
    { numRuns: 50 },
  );
});
