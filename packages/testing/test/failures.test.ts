import {
  type CancelEverywhereOptions,
  cancelEverywhere,
  type ExploreOptions,
  explore,
  ScheduleError,
  type World,
} from '@quiesce/testing';
import { expect, test } from 'vitest';

async function failureOf(run: Promise<unknown>): Promise<ScheduleError> {
  const error = await run.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ScheduleError);
  return error as ScheduleError;
}
const exploring = (body: (world: World) => unknown, options?: ExploreOptions) => failureOf(explore(body, options));
const cancelling = (body: (world: World, signal: AbortSignal) => unknown, options?: CancelEverywhereOptions) =>
  failureOf(cancelEverywhere(body, options));

test('a test that rejects fails with its own error as the cause', async () => {
  const bug = new Error('a bug');
  const error = await exploring(async () => {
    throw bug;
  });
  expect(error).toMatchObject({ kind: 'test', cause: bug, code: 'ERR_SCHEDULE', name: 'ScheduleError', schedule: '-' });
  expect(error.message).toMatch(/^test: a bug\n {3}1\. start/);
});

test('a thrown value whose properties throw is the cause of a ScheduleError', async () => {
  const bug = new Proxy({}, { get: () => check() });
  const check = (): never => {
    throw new Error('not readable');
  };
  const error = await exploring(() => Promise.reject(bug));
  expect(error.kind).toBe('test');
  expect(error.cause === bug).toBe(true);
});

test('a test that throws synchronously fails as one that rejects', async () => {
  const error = await exploring(() => {
    throw new Error('at once');
  });
  expect(error.kind).toBe('test');
});

test('`always` is checked at each choice point', async () => {
  const error = await exploring(async (world) => {
    let count = 0;
    world.always('count is at most 1', () => count <= 1);
    const add = world.external('add', ['ok']);
    const more = async () => {
      count++;
      await add();
      count--;
    };
    await Promise.all([more(), more()]);
  });
  expect(error).toMatchObject({ kind: 'invariant', report: { foundIn: 1 } });
  expect(error.message).toMatch(/count is at most 1/);
});

test('`always` reports what its check throws', async () => {
  const bug = new Error('broken');
  const error = await exploring((world) => {
    world.always('never', () => {
      throw bug;
    });
  });
  expect(error).toMatchObject({ kind: 'invariant', cause: bug });
});

test('`atEnd`, `held` and `track` are checked after the test', async () => {
  expect((await exploring((world) => world.atEnd(() => false))).kind).toBe('end');
  const held = await exploring((world) => world.held('permits', () => 2));
  expect(held.message).toMatch(/^end: permits must be 0 at the end, and is 2/);
  const tracked = await exploring((world) => world.track('task', new Promise(() => {})));
  expect(tracked.message).toMatch(/^end: task must have settled at the end/);
});

test.each([
  ['fulfils', async () => false],
  ['rejects', () => Promise.reject(new Error('too late'))],
])('a check of `always` or `atEnd` that returns a promise is refused, also when it %s', async (_, check) => {
  const always = await exploring((world) => world.always('the count', check));
  expect(always).toMatchObject({ kind: 'invariant', cause: { name: 'TypeError' } });
  expect(always.message).toMatch(/^invariant: world\.always: the check "the count" returned a promise/);
  const atEnd = await exploring((world) => world.atEnd(check));
  expect(atEnd).toMatchObject({ kind: 'end', cause: { name: 'TypeError' } });
  expect(atEnd.message).toMatch(/^end: world\.atEnd: a check returned a promise/);
});

test('an unhandled rejection fails the schedule in which it happens, and reaches no listener of the process', async () => {
  const bug = new Error('no code handles it');
  const error = await exploring(async (world) => {
    const fail = world.external('fail', () => Promise.reject(bug));
    void fail();
    await world.rest();
  });
  expect(error).toMatchObject({ kind: 'unhandled rejection', cause: bug });
});

test.each(['timer', 'microtask', 'nextTick', 'deliver', 'act', 'signal'])(
  'an exception in a callback of kind %s is an uncaught exception',
  async (place) => {
    const bug = new Error(place);
    const raise = () => {
      throw bug;
    };
    const error = await exploring(
      async (world) => {
        if (place === 'timer') setTimeout(raise, 5);
        if (place === 'microtask') queueMicrotask(raise);
        if (place === 'nextTick') process.nextTick(raise);
        if (place === 'deliver') world.events('values', [1], raise);
        if (place === 'act') world.anytime('act', raise);
        if (place === 'signal') world.signal().addEventListener('abort', raise);
        await new Promise((resolve) => setTimeout(resolve, 10));
      },
      { leftovers: 'ignore' },
    );
    expect(error).toMatchObject({ kind: 'uncaught exception', cause: bug });
  },
);

test('a test that waits for nothing is stuck, and the failure names what is pending', async () => {
  const error = await exploring(async (world) => {
    const never = new Promise(() => {});
    world.track('the answer', never);
    await never;
  });
  expect(error.kind).toBe('stuck');
  expect(error.message).toMatch(/^stuck: The test waits, and nothing can happen\..*the answer is pending/);
});

test('a test that is stuck without a tracked promise says how to name what it waits for', async () => {
  const error = await exploring(() => new Promise(() => {}));
  expect(error.message).toMatch(/^stuck: .* `world\.track` names promises that do not settle\n/);
});

test('a run without an end fails after `steps`, and names its last events', async () => {
  const error = await exploring(
    async (world) => {
      const poll = world.external('poll', ['empty']);
      for (;;) await poll();
    },
    { steps: 20 },
  );
  expect(error.kind).toBe('endless');
  expect(error.message).toMatch(
    /^endless: The run did not end within 20 steps\. Raise `steps` when a run may be this long \(The last events: .*poll\(\) #20 answers\)/,
  );
});

test('a polling loop ends, because a signal comes after `fairAfter.timers` firings', async () => {
  const report = await explore(
    async (world) => {
      const signal = world.signal('stop');
      while (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, 100));
    },
    { bound: 0, fairAfter: { timers: 3 } },
  );
  expect(report.depth).toBeLessThanOrEqual(5);
});

test('a worker loop ends, because signals come first past half of `steps`', async () => {
  const report = await explore(
    async (world) => {
      const signal = world.signal('stop');
      const poll = world.external('poll', ['empty']);
      while (!signal.aborted) await poll();
    },
    { bound: 0, steps: 40 },
  );
  expect(report.depth).toBe(23);
});

test.each([
  ['an operation', (world: World) => void world.external('load', ['page'])(), /left behind load\(\)/],
  ['a timer', () => void setTimeout(() => {}, 50), /left behind a timer of 50 ms/],
  ['an interval', () => void setInterval(() => {}, 50), /left behind an interval of 50 ms/],
  ['an immediate', () => void setImmediate(() => {}), /left behind an immediate/],
  ['a resource', (world: World) => void world.resource('file'), /left behind file, which is open/],
  [
    'a listener',
    (world: World) => world.signal('stop').addEventListener('abort', () => {}),
    /left behind a listener on the signal stop/,
  ],
])('%s that is left behind fails the test, by name and place', async (_, body, message) => {
  const error = await exploring(body);
  expect(error.kind).toBe('left behind');
  expect(error.message).toMatch(message);
  expect(error.message).toMatch(/failures\.test\.ts:\d+/);
  await explore(body, { leftovers: 'ignore', bound: 0 });
});

test("an unref'd timer and a detached operation may stay pending", async () => {
  await explore(
    (world) => {
      setTimeout(() => {}, 10).unref();
      setImmediate(() => {}).unref();
      void AbortSignal.timeout(10);
      void world.external('log', ['ok'], { detached: true })();
    },
    { bound: 0 },
  );
});

test('listeners that Node adds for a request or an event target are not left behind', async () => {
  const load = async (world: World, signal: AbortSignal) => {
    const get = world.fetch(() => new Response('page'));
    const target = new EventTarget();
    target.addEventListener('change', () => {}, { signal });
    await get(new Request('http://localhost/page', { signal }));
  };
  expect(await cancelEverywhere(load)).toMatchObject({ stoppedBy: 'exhausted' });
  const error = await cancelling(async (world, signal) => {
    await load(world, signal);
    signal.addEventListener('abort', () => {});
  });
  expect(error.message).toMatch(/^left behind: The test ended and left behind a listener on the signal cancel \(/);
});

test('a resource that is closed twice, used after its end or closed before an inner one is misused', async () => {
  const twice = await exploring((world) => {
    const file = world.resource('file');
    file.close();
    file.close();
  });
  expect(twice).toMatchObject({ kind: 'resource', cause: { message: 'The resource file is closed twice' } });
  const used = await exploring((world) => {
    const file = world.resource('file');
    file.close();
    try {
      file.use();
    } catch {}
  });
  expect(used.message).toMatch(/is used after it was closed/);
  const outer = await exploring((world) => {
    const connection = world.resource('connection');
    const statement = world.resource('statement', { inside: connection });
    connection.close();
    statement.close();
  });
  expect(outer.message).toMatch(/connection is closed before statement, which is inside it/);
});

test('a resource of a fake counts from its answer on', async () => {
  const body = async (world: World) => {
    const connect = world.external('connect', () => world.resource('connection'), { failures: [new Error('refused')] });
    const signal = world.signal();
    await connect({ signal }).then(
      (connection) => connection.close(),
      () => {},
    );
  };
  await explore(body);
});

test('a cancelled test may fulfil or reject with the reason, one that it caused or an `AbortError`', async () => {
  const wait = (world: World, signal: AbortSignal) => world.external('wait', ['ok'])({ signal });
  await cancelEverywhere(wait, { outcome: 'reason' }).catch((error: unknown) => {
    expect(error).toMatchObject({ kind: 'outcome' });
  });
  const wrapped = await cancelEverywhere(async (world, signal) => {
    try {
      await wait(world, signal);
    } catch (error) {
      throw new Error('wrapped', { cause: error });
    }
  });
  expect(wrapped.cancelCount).toBeGreaterThan(2);
  const swallowed = async (world: World, signal: AbortSignal) => {
    await wait(world, signal).catch(() => {});
  };
  await cancelEverywhere(swallowed);
  expect((await cancelling(swallowed, { outcome: 'reason' })).kind).toBe('outcome');
});

test('a cancelled test that rejects with another error fails, unless any outcome is accepted', async () => {
  const body = async (world: World, signal: AbortSignal) => {
    await world
      .external('wait', ['ok'])({ signal })
      .catch(() => {
        throw new Error('something else');
      });
  };
  const error = await cancelling(body);
  expect(error).toMatchObject({ kind: 'outcome', cause: { message: 'something else' } });
  await cancelEverywhere(body, { outcome: 'any' });
});

test('`explore` fails when its test rejects after a signal of the world', async () => {
  const error = await exploring(async (world) => world.external('wait', ['ok'])({ signal: world.signal('stop') }));
  expect(error).toMatchObject({ kind: 'test', cause: { name: 'AbortError', message: 'stop was aborted' } });
});

test('the function of a fake that waits for the world fails the run', async () => {
  const error = await exploring(async (world) => {
    const inner = world.external('inner', ['ok']);
    await world.external('outer', async () => inner())();
  });
  expect(error.message).toMatch(/outer\(\): its function must end within its step/);
});
