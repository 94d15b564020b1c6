import {
  BudgetError,
  cancelEverywhere,
  type ExploreReport,
  explore,
  ScheduleError,
  type World,
} from '@quiesce/testing';
import { expect, test } from 'vitest';

const three = async (world: World) => {
  const load = world.external('load', ['page']);
  await Promise.all([load(1), load(2), load(3)]);
};

test('a bound of n runs all schedules with up to n deviations, each once', async () => {
  const counts: number[] = [];
  for (const bound of [0, 1, 2, 3]) {
    const orders: string[] = [];
    const report = await explore(
      async (world) => {
        let order = '';
        const load = world.external('load', ['page']);
        await Promise.all(
          [1, 2, 3].map((i) =>
            load(i).then(() => {
              order += i;
            }),
          ),
        );
        orders.push(order);
      },
      { bound },
    );
    expect(new Set(orders).size).toBe(orders.length);
    expect(report.stoppedBy).toBe(orders.length === 6 ? 'exhausted' : 'bound');
    counts.push(report.scheduleCount);
  }
  expect(counts).toEqual([1, 4, 6, 6]);
});

test('an operation that was passed over is slow until `fairAfter` steps', async () => {
  const body = (fairAfter: number) => async (world: World) => {
    const load = world.external('load', ['page']);
    let others = 0;
    const slow = load('slow').then(() => others);
    for (; others < 10; others++) await load(others);
    const seen = await slow;
    if (seen === fairAfter) throw new Error('found');
  };
  await expect(explore(body(10), { bound: 1, overlap: 'none' })).rejects.toThrow(/found/);
  await expect(explore(body(10), { bound: 1, fairAfter: { steps: 5 } })).resolves.toMatchObject({ stoppedBy: 'bound' });
});

test('a budget of schedules ends the exploration, and `demand` makes that an error', async () => {
  const report = await explore(three, { budget: { schedules: 2 }, demand: 0 });
  expect(report).toMatchObject({ scheduleCount: 2, stoppedBy: 'schedules', bound: 0, isComplete: false });
  const error = await explore(three, { budget: { schedules: 2 } }).catch((reason: BudgetError) => reason);
  expect(error).toBeInstanceOf(BudgetError);
  expect(error).toMatchObject({ name: 'BudgetError', code: 'ERR_BUDGET', report: { scheduleCount: 2, bound: 0 } });
  await expect(explore(three, { bound: 1, demand: Number.POSITIVE_INFINITY, budget: { ms: 0.001 } })).rejects.toThrow(
    BudgetError,
  );
});

test.each(['random', 'pct'] as const)('the strategy %s is seeded, and its failures replay', async (strategy) => {
  const body = async (world: World) => {
    let order = '';
    const load = world.external('load', ['page']);
    await Promise.all(
      [1, 2, 3].map((i) =>
        load(i).then(() => {
          order += i;
        }),
      ),
    );
    if (order === '321') throw new Error('found');
  };
  const errors: ScheduleError[] = [];
  for (let i = 0; i < 2; i++) {
    errors.push((await explore(body, { strategy, seed: 7 }).catch((reason) => reason)) as ScheduleError);
  }
  const [first, second] = errors;
  expect(first).toBeInstanceOf(ScheduleError);
  expect(second?.schedule).toBe(first?.schedule);
  expect(second?.report.foundIn).toBe(first?.report.foundIn);
  await expect(explore(body, { replay: first?.schedule })).rejects.toThrow(/found/);
});

test('`pct` and `random` end with their budget', async () => {
  const report = await explore(three, { strategy: 'random', budget: { schedules: 20 } });
  expect(report).toMatchObject({ scheduleCount: 20, stoppedBy: 'schedules' });
});

test('`commutes` leaves one order of n commuting operations', async () => {
  const report = await explore(
    async (world) => {
      const load = world.external('load', ['page']);
      await Promise.all([1, 2, 3, 4].map((i) => load(i)));
    },
    { bound: Number.POSITIVE_INFINITY, commutes: () => true },
  );
  expect(report).toMatchObject({ scheduleCount: 1, stoppedBy: 'exhausted' });
  expect(report.prunedCount).toBeGreaterThan(0);
});

test('`commutes` keeps the orders of events that do not commute', async () => {
  const orders = new Set<string>();
  await explore(
    async (world) => {
      let order = '';
      const load = world.external('load', ['page'], { label: String });
      await Promise.all(
        ['a1', 'a2', 'b1'].map((name) =>
          load(name).then(() => {
            order += name;
          }),
        ),
      );
      orders.add(order.replace('b1', ''));
    },
    { bound: Number.POSITIVE_INFINITY, commutes: (a, b) => a[0] !== b[0] },
  );
  expect([...orders].sort()).toEqual(['a1a2', 'a2a1']);
});

test('a wrong `commutes` is found by running both orders', async () => {
  const error = await explore(
    async (world) => {
      let first: number | undefined;
      const load = world.external('load', ['page']);
      const loads = [1, 2].map(async (i) => {
        await load(i);
        first ??= i;
        if (first === 2) await world.external('repair', ['ok'])();
      });
      await Promise.all(loads);
    },
    { commutes: () => true },
  ).catch((reason: ScheduleError) => reason);
  expect(error).toMatchObject({ kind: 'nondeterminism' });
  expect((error as ScheduleError).message).toMatch(/commutes says that/);
});

test('late variants that the test cannot observe are pruned', async () => {
  const body = (reads: boolean) => async (world: World) => {
    const load = world.external('load', ['page']);
    const timer = setTimeout(() => {}, 100);
    await load();
    if (reads) Date.now();
    clearTimeout(timer);
  };
  const blind = await explore(body(false), { bound: 1 });
  const seeing = await explore(body(true), { bound: 1 });
  expect(seeing.scheduleCount).toBe(blind.scheduleCount + 1);
  expect(blind.prunedCount).toBe(1);
  expect((await explore(body(true), { bound: 1, late: false })).scheduleCount).toBe(blind.scheduleCount);
});

test('a late event moves time to the next timer, which then fires', async () => {
  const seen = new Set<string>();
  await explore(
    async (world) => {
      const order: string[] = [];
      const load = world.external('load', ['page']);
      const timer = new Promise<void>((resolve) =>
        setTimeout(() => {
          order.push(`timer at ${world.now}`);
          resolve();
        }, 100),
      );
      await load();
      order.push(`answer at ${world.now}`);
      await timer;
      seen.add(order.join(', '));
    },
    { bound: 1 },
  );
  expect([...seen].sort()).toEqual([
    'answer at 0, timer at 100',
    'answer at 100, timer at 100',
    'timer at 100, answer at 100',
  ]);
});

test('a signal overlaps a step after every round of jobs', async () => {
  const seen = new Set<number>();
  const report = await explore(
    async (world) => {
      const signal = world.signal();
      await world.external('load', ['page'])();
      let round = 0;
      for (; round < 10 && !signal.aborted; round++) await null;
      seen.add(round);
    },
    { bound: 1 },
  );
  expect([...seen].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  const without = await explore(three, { overlap: 'none' });
  expect(report.scheduleCount).toBeGreaterThan(without.scheduleCount);
});

test('`overlap: all` lets operations overlap', async () => {
  const seen = new Set<string>();
  const body = async (world: World) => {
    const load = world.external('load', ['page']);
    let other = false;
    const second = load(2).then(() => {
      other = true;
    });
    await load(1);
    let round = 0;
    for (; round < 3 && !other; round++) await null;
    seen.add(`${round}`);
    await second;
  };
  await explore(body, { bound: 1 });
  expect([...seen].sort()).toEqual(['0', '3']);
  await explore(body, { bound: 2, overlap: 'all' });
  expect([...seen].sort()).toEqual(['0', '1', '2', '3']);
});

test('`cancelEverywhere` counts the positions that it tries, and cancels at no cost', async () => {
  let runs = 0;
  const report = await cancelEverywhere(async (world, signal) => {
    runs++;
    await world.external('load', ['page'])({ signal });
  });
  expect(report).toMatchObject({ scheduleCount: runs, cancelCount: runs - 1, bound: 0 });
  const deeper = await cancelEverywhere(
    async (world, signal) => {
      const load = world.external('load', ['page']);
      await Promise.all([load(1, { signal }), load(2, { signal })]);
    },
    { bound: 1, leftovers: 'ignore' },
  );
  expect(deeper.cancelCount).toBeGreaterThan(report.cancelCount);
});

test('a signal aborts inside the first step, too', async () => {
  const seen = new Set<number>();
  await cancelEverywhere(async (world, signal) => {
    let round = 0;
    for (; round < 5 && !signal.aborted; round++) await null;
    seen.add(round);
    await world.external('load', ['page'])({ signal });
  });
  expect([...seen].sort()).toEqual([1, 2, 3, 4, 5]);
  const error = (await cancelEverywhere(async (world, signal) => {
    for (let i = 0; i < 60; i++) await null;
    if (signal.aborted) throw new Error('too late');
    await world.external('load', ['page'])({ signal });
  }).catch((reason) => reason)) as ScheduleError;
  expect(error).toMatchObject({ kind: 'outcome', schedule: expect.stringMatching(/^-1:0\+0@/) });
  await expect(
    cancelEverywhere(
      async (_, signal) => {
        for (let i = 0; i < 60; i++) await null;
        if (signal.aborted) throw new Error('too late');
      },
      { replay: error.schedule },
    ),
  ).rejects.toThrow(/too late/);
});

test('a failure with needless decisions is shrunk', async () => {
  const error = (await explore(
    async (world) => {
      const load = world.external('load', ['page']);
      let order = '';
      await Promise.all(
        [1, 2, 3, 4].map((i) =>
          load(i).then(() => {
            order += i;
          }),
        ),
      );
      if (order.indexOf('4') < order.indexOf('1')) throw new Error('found');
    },
    { strategy: 'random', seed: 3 },
  ).catch((reason) => reason)) as ScheduleError;
  expect(error.schedule.split(',')).toHaveLength(1);
});

test('a replay runs one schedule, and a string that does not fit fails with what is possible', async () => {
  const report = await explore(three, { replay: '0:1,1:1' });
  expect(report).toMatchObject({ scheduleCount: 1, stoppedBy: 'replay' });
  const wrong = (await explore(three, { replay: '0:7' }).catch((reason) => reason)) as ScheduleError;
  expect(wrong.kind).toBe('replay');
  expect(wrong.message).toMatch(/point 0 has only 3 possibilities: 0: load\(1\) answers, 1: load\(2\) answers/);
  await expect(explore(three, { replay: '9:1' })).rejects.toMatchObject({ kind: 'replay' });
  await expect(explore(three, { replay: '0:1!0000' })).rejects.toThrow(/recorded with other names.*load\(2\) answers/);
});

test('`progress` is called with a report, at most once a second', async () => {
  const reports: ExploreReport[] = [];
  const start = performance.now();
  await explore(three, {
    strategy: 'random',
    budget: { schedules: 1e9, ms: 1_500 },
    progress: (report) => reports.push(report),
  });
  expect(performance.now() - start).toBeGreaterThan(1_400);
  expect(reports.length).toBeGreaterThan(0);
  expect(reports[0]?.stoppedBy).toBeUndefined();
});

test('a test that keeps state between runs is nondeterministic', async () => {
  let isCached = false;
  const error = (await explore(async (world) => {
    const load = world.external('load', ['page']);
    if (!isCached) await load('config');
    isCached = true;
    await Promise.all([load(1), load(2)]);
  }).catch((reason) => reason)) as ScheduleError;
  expect(error.kind).toBe('nondeterminism');
});

test('a difference that does not come back is said to come from an earlier run', async () => {
  let cache: Promise<unknown> | undefined;
  const error = await explore(async (world) => {
    const load = world.external('load', ['page']);
    cache ??= load(1);
    await cache;
    await Promise.all([load(2), load(3)]);
  }).catch((reason) => reason);
  expect(error.kind).toBe('nondeterminism');
  expect(error.message).toMatch(/Now both runs have the same possibilities: .* An earlier run changed something/);
});

test('explorations in one process queue, and a nested one is a TypeError', async () => {
  const order: string[] = [];
  await Promise.all([
    explore(
      async (world) => {
        order.push('first');
        await world.external('load', ['page'])();
      },
      { bound: 0 },
    ),
    explore(() => void order.push('second'), { bound: 0 }),
  ]);
  expect(order).toEqual(['first', 'second']);
  const nested = await explore(async (world) => {
    await world.external('load', ['page'])();
    await explore(() => {});
  }).catch((reason) => reason);
  expect(nested).toMatchObject({ kind: 'test', cause: { name: 'TypeError' } });
});

test.each<[string, (world: World) => unknown]>([
  ['the first step', () => explore(() => {})],
  [
    'a callback of an event',
    (world) => new Promise((resolve) => world.events('x', [1], () => resolve(explore(() => {})))),
  ],
  [
    'one branch only',
    async (world) => {
      const load = world.external('load', ['page']);
      const first = await Promise.race([load(1).then(() => 1), load(2).then(() => 2)]);
      await world.rest();
      if (first === 2) await explore(() => {});
    },
  ],
])('an exploration that is nested in %s is a TypeError', async (_, body) => {
  const error = await explore(body).catch((reason) => reason);
  expect(error).toMatchObject({ kind: 'test', cause: { name: 'TypeError' } });
});
