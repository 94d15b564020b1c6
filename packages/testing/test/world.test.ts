import { cancelEverywhere, explore, failure, type ScheduleError, type World } from '@quiesce/testing';
import { expect, test } from 'vitest';

/** Runs every schedule, and returns the distinct results of the test, sorted. */
async function resultsOf<T>(body: (world: World) => T | Promise<T>): Promise<T[]> {
  const results = new Set<T>();
  await explore(async (world) => void results.add(await body(world)), {
    bound: Number.POSITIVE_INFINITY,
    leftovers: 'ignore',
  });
  return [...results].sort();
}

test('an operation has one alternative for each outcome, and no event for its handling', async () => {
  const results = await resultsOf(async (world) => {
    const load = world.external('load', ['a', 'b', failure('broken')]);
    return load().catch((error) => `caught ${error}`);
  });
  expect(results).toEqual(['a', 'b', 'caught broken']);
  const report = await explore((world) => world.external('load', ['a', 'b'])(), { bound: Number.POSITIVE_INFINITY });
  expect(report).toMatchObject({ scheduleCount: 2, meanPointCount: 1 });
});

test('a function fake answers what its function returns, and rejects with what it throws', async () => {
  const results = await resultsOf(async (world) => {
    const half = world.external('half', (value: number) => {
      if (value % 2 === 1) throw new Error('odd');
      return value / 2;
    });
    return `${await half(4)} ${await half(3).catch((error: Error) => error.message)}`;
  });
  expect(results).toEqual(['2 odd']);
});

test('`failures` are further outcomes of a function', async () => {
  const results = await resultsOf((world) =>
    world
      .external('load', () => 'page', { failures: [new Error('503')] })()
      .catch((error: Error) => error.message),
  );
  expect(results).toEqual(['503', 'page']);
});

test.each([
  ['between', ['after', 'before']],
  ['answer', ['after', 'before']],
  ['call', ['before']],
] as const)('with `effect: %s` a remote value is read at the right moment', async (effect, expected) => {
  const results = await resultsOf(async (world) => {
    let value = 'before';
    const read = world.external('read', () => value, { effect });
    const write = world.external('write', ['ok']);
    const [seen] = await Promise.all([
      read(),
      write().then(() => {
        value = 'after';
      }),
    ]);
    return seen;
  });
  expect(results).toEqual(expected);
});

test('with `effect: between` the answer can be older than the world', async () => {
  const results = await resultsOf(async (world) => {
    let value = 'before';
    const read = world.external('read', () => value, { effect: 'between' });
    world.anytime('change', () => {
      value = 'after';
    });
    const seen = await read();
    return `${seen}, then ${value}`;
  });
  expect(results).toEqual(['after, then after', 'before, then after', 'before, then before']);
});

test('a signal rejects an operation in the step of the abort, or at the call', async () => {
  const results = await resultsOf(async (world) => {
    const load = world.external('load', ['page']);
    const signal = world.signal('stop', { reason: 'enough' });
    const direct = await load(signal).catch((reason) => reason);
    const inOptions = await load('x', { signal }).catch((reason) => reason);
    return `${direct} ${inOptions}`;
  });
  expect(results).toEqual(['enough enough', 'page enough', 'page page']);
});

test('an operation that is not abortable answers after an abort', async () => {
  const results = await resultsOf(async (world) => {
    const signal = world.signal('stop');
    return world.external('load', ['page'], { abortable: false })({ signal });
  });
  expect(results).toEqual(['page']);
});

test('an operation with `within` answers before every timer that is due later', async () => {
  const body = (within: number | undefined) => async (world: World) => {
    const load = world.external('load', ['page'], { within });
    const winner = await Promise.race([load(), new Promise((resolve) => setTimeout(resolve, 100, 'timeout'))]);
    return winner as string;
  };
  expect(await resultsOf(body(50))).toEqual(['page']);
  expect(await resultsOf(body(150))).toEqual(['page', 'timeout']);
  expect(await resultsOf(body(undefined))).toEqual(['page', 'timeout']);
});

test('`label` names the operation', async () => {
  const error = await explore((world) =>
    world.external('put', [failure('full')], { label: (key) => `PUT ${key}` })('a'),
  ).catch((reason: ScheduleError) => reason);
  expect((error as ScheduleError).story).toEqual([
    expect.stringContaining('PUT a starts'),
    expect.stringContaining('PUT a fails with "full" '),
  ]);
});

test('a stream keeps its order, and may deliver several values in one step', async () => {
  const results = await resultsOf(async (world) => {
    const received: string[] = [];
    let steps = 0;
    world.events('frames', ['a', 'b', 'c'], (frame) => {
      received.push(frame);
      queueMicrotask(() => {
        steps++;
      });
    });
    const tasks: number[] = [];
    world.always('watch', () => void tasks.push(steps));
    await world.rest();
    return `${received.join('')} in ${new Set(tasks).size - 1} steps`;
  });
  expect(results).toEqual(['abc in 2 steps', 'abc in 3 steps']);
});

test('a stream without an order delivers any value next', async () => {
  const results = await resultsOf(async (world) => {
    let received = '';
    const receive = (value: string) => {
      received += value;
    };
    world.events('packets', ['a', 'b', 'c'], receive, { ordered: false, batch: 1 });
    await world.rest();
    return received;
  });
  expect(results).toEqual(['abc', 'acb', 'bac', 'bca', 'cab', 'cba']);
});

test('an act runs at most once, and never after the test has settled', async () => {
  const results = await resultsOf(async (world) => {
    let acts = 0;
    world.anytime('act', () => acts++);
    await world.external('load', ['page'])();
    return acts;
  });
  expect(results).toEqual([0, 1]);
});

test('`choose` returns each value', async () => {
  const report = await explore((world) => void world.choose('size', ['s', 'm', 'l']), {
    bound: Number.POSITIVE_INFINITY,
  });
  expect(report).toMatchObject({ scheduleCount: 3, meanPointCount: 1 });
  expect(await resultsOf((world) => world.choose('size', ['s', 'm', 'l']))).toEqual(['l', 'm', 's']);
});

test('`fetch` makes an operation of each request', async () => {
  const stories: (readonly string[])[] = [];
  const error = await explore(async (world) => {
    const fetch = world.fetch(async (request) => Response.json({ url: request.url, body: await request.text() }));
    const response = await fetch('/users?id=1', { method: 'POST', body: 'ada' });
    throw new Error(JSON.stringify(await response.json()));
  }).catch((reason: ScheduleError) => reason);
  expect((error as ScheduleError).message).toContain('test: {"url":"http://localhost/users?id=1","body":"ada"}');
  stories.push((error as ScheduleError).story);
  expect(stories[0]?.join('\n')).toContain('POST /users?id=1 answers');
});

test('`fetch` rejects with the reason, and leaves no listener', async () => {
  const report = await cancelEverywhere(async (world, signal) => {
    const fetch = world.fetch(() => new Response('ok'));
    const response = await fetch(new Request('http://example.com/page'), { signal });
    return response.text();
  });
  expect(report.cancelCount).toBeGreaterThan(3);
});

test('`wrap` makes operations of methods, and leaves other properties', async () => {
  const results = await resultsOf(async (world) => {
    class Store {
      readonly size = 1;
      readonly #values = new Map([['a', 1]]);
      get(key: string): number | undefined {
        return this.#values.get(key);
      }
    }
    const store = world.wrap('store', new Store());
    return `${store.size} ${await store.get('a')}`;
  });
  expect(results).toEqual(['1 1']);
});

test('`rest` resolves when nothing is pending', async () => {
  const results = await resultsOf(async (world) => {
    let answers = 0;
    void world
      .external('load', ['page'])()
      .then(() => answers++);
    setTimeout(() => answers++, 10);
    setImmediate(() => answers++);
    world.events('clicks', [1], () => answers++);
    await world.rest();
    return answers;
  });
  expect(results).toEqual([4]);
});

test('`clock` is a clock on the time of the world', async () => {
  const results = await resultsOf(async (world) => {
    const start = world.clock.now();
    await new Promise<void>((resolve) => world.clock.setTimer(1_500, resolve, { ref: true }));
    return `${world.clock.now() - start} ${world.now} ${new Date(world.clock.wall()).toISOString()}`;
  });
  expect(results).toEqual(['1500 1500 2030-01-01T00:00:01.500Z']);
});

test('a story shows the order that fails', async () => {
  const error = await explore(async (world) => {
    const get = world.external('GET /search', (query: string) => `hit for ${query}`);
    let shown = '';
    const type = async (query: string) => {
      shown = await get(query);
    };
    await Promise.all([type('a'), type('ab')]);
    if (shown !== 'hit for ab') throw new Error(`shown: ${shown}`);
  }).catch((reason: ScheduleError) => reason);
  const { message, story } = error as ScheduleError;
  expect(story).toEqual([
    '   1. start                                GET /search("a") and GET /search("ab") start',
    '   2. GET /search("ab") is handled    ◂    before GET /search("a") is handled',
    '   3. GET /search("ab") answers',
    expect.stringMatching(/^ {3}4\. GET \/search\("a"\) answers {13}the test rejects \(world\.test\.ts:\d+\)$/),
  ]);
  expect(message.split('\n').at(-1)).toMatch(
    /^◂ differs from the default order\. Schedule 2, \d+ ms\. Again: explore\(test, \{ replay: '0:1![0-9a-f]{4}' \}\), or QUIESCE_REPLAY='0:1![0-9a-f]{4}'$/,
  );
});
