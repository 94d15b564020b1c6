import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { formatTree, type Scope, type ScopeTree, scope } from '@quiesce/scope';
import { sleep } from '@quiesce/select';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { deaf, rejection, turn } from './vocabulary.ts';

describe('tree', () => {
  it('shows the running work: tasks, nested scopes, ages, deadlines, daemons', async () => {
    const clock = new VirtualClock(0);
    let text = '';
    await clock.run(() =>
      scope(
        async (s) => {
          const { work, fulfil } = deaf();
          s.spawn((token) => token.cancelled(), { name: 'watcher', daemon: true });
          await sleep(100, { clock });
          s.spawn((signal) => scope((inner) => void inner.spawn(work), { signal, name: 'inner', clock }), {
            name: 'user',
          });
          void scope(() => work(), { signal: s.token, clock });
          s.spawn(() => {});
          await sleep(20, { clock });
          s.task('absent')?.cancel();
          text = formatTree(s.tree());
          fulfil();
        },
        { name: 'GET /page', timeout: 5_000, clock },
      ),
    );
    expect(text.split('\n')).toEqual([
      'scope "GET /page": running, 120 ms, until 1970-01-01T00:00:05.000Z',
      '├─ task "watcher": running, 120 ms, daemon',
      '├─ task "user": running, 20 ms',
      '│  └─ scope "inner": joining, 20 ms, until 1970-01-01T00:00:05.000Z',
      '│     └─ task: running, 20 ms',
      '└─ scope: running, 20 ms, until 1970-01-01T00:00:05.000Z',
    ]);
  });

  it('shows which work was cancelled and still runs, and which cleanup runs', async () => {
    const clock = new VirtualClock();
    const trees: string[] = [];
    let outside: Scope | undefined;
    const done = scope(
      (s) => {
        outside = s;
        s.defer(() => sleep(5, { clock }).then(() => trees.push(formatTree(s.tree()))), { name: 'flush' });
        s.spawn(() => sleep(5, { clock }), { name: 'stubborn' });
        s.cancel('stop');
        trees.push(formatTree(s.tree()));
      },
      { clock },
    );
    await rejection(clock.run(() => done));
    trees.push(formatTree((outside as Scope).tree()));
    expect(trees).toEqual([
      'scope: running, 0 ms, cancelled\n└─ task "stubborn": running, 0 ms, cancelled',
      'scope: cleaning, 10 ms, cancelled\n└─ cleanup "flush": running, 5 ms',
      'scope: closed, 10 ms, cancelled',
    ]);
  });

  it('shows where a task was spawned when the scope records spawn sites', async () => {
    const { work, fulfil } = deaf();
    const sites = await scope(
      async (s) => {
        const spawning = (): void => void s.spawn(work);
        spawning();
        void s.start(work);
        void s.map([1], work);
        void s.race([work]);
        void s.use(work(), () => {});
        const sites = s.tree().children.map(({ site }) => site ?? '');
        fulfil();
        return sites;
      },
      { spawnSites: true },
    );
    expect(sites).toHaveLength(5);
    for (const site of sites) expect(site).toMatch(/tree\.test\.\w+(\?\S*)?:\d+:\d+\)?$/);
    expect(sites[0]).toContain('spawning');
  });

  it('is plain data, and a snapshot', async () => {
    const { work, fulfil } = deaf();
    const tree = await scope((s) => {
      s.spawn(work, { name: 'task' });
      const tree = s.tree();
      fulfil();
      return tree;
    });
    expect(structuredClone(tree)).toEqual(tree);
    expect(tree.children).toMatchObject([{ kind: 'task', name: 'task', state: 'running', isCancelled: false }]);
  });

  it('no longer shows a scope that has ended, even if the task that ran it still runs', async () => {
    await scope(async (s) => {
      const { work, fulfil } = deaf();
      const first = scope(() => {}, { signal: s.token, name: 'in the body' });
      s.spawn(async (signal) => {
        await scope(() => {}, { signal, name: 'in the task' });
        await work();
      });
      const below = (): number => s.tree().children.reduce((sum, child) => sum + 1 + child.children.length, 0);
      expect(below()).toBe(3);
      await first;
      await turn();
      expect(below()).toBe(1);
      fulfil();
    });
  });

  it('shows ages in whole milliseconds, with a clock that counts fractions as well', async () => {
    const clock = new VirtualClock();
    await clock.advance(0.5);
    await scope(
      async (s) => {
        const { work, fulfil } = deaf();
        s.spawn(work);
        await clock.advance(2.25);
        expect([s.tree().ageMs, s.tree().children[0]?.ageMs]).toEqual([2, 2]);
        fulfil();
      },
      { clock },
    );
  });

  it('shows ten thousand levels, and a cancellation reaches the last one and returns', async () => {
    const levels = 10_000;
    let root: Scope | undefined;
    let left = 0;
    const down = async (level: number, signal?: Scope['token']): Promise<void> => {
      await undefined;
      await scope(
        (s) => {
          root ??= s;
          s.defer(() => left++);
          s.spawn((token) => (level === levels ? token.cancelled() : down(level + 1, token)));
        },
        { signal },
      );
    };
    const done = down(1);
    let depth = 0;
    for (let i = 0; depth < 2 * levels && i < 100; i++) {
      await new Promise((resolve) => setImmediate(resolve));
      depth = depthOf((root as Scope).tree());
    }
    expect(depth).toBe(2 * levels);
    (root as Scope).cancel('enough');
    await done;
    expect(left).toBe(levels);
  }, 60_000);
});

function depthOf(tree: ScopeTree): number {
  let depth = 0;
  for (let next = tree.children[0]; next !== undefined; next = next.children[0]) depth++;
  return depth + 1;
}

describe('spawn sites', () => {
  it('of the items of a map, and of functions in a race, are the line of that call', async () => {
    const { work, fulfil } = deaf();
    const sites: unknown[] = [];
    await scope(
      async (s) => {
        const mapping = (): void => void s.map([1, 2], async () => work());
        mapping();
        const racing = (): void => void s.race([work]);
        racing();
        for (const task of s.tree().children) {
          for (const { children } of task.children) sites.push(...children.map(({ site }) => site?.split(' ')[0]));
        }
        fulfil();
      },
      { spawnSites: true },
    );
    expect(sites.map(String).sort()).toEqual(['mapping', 'mapping', 'racing']);
  });

  it('are absent where the program formats stacks differently, or fails to', async () => {
    const before = Error.prepareStackTrace;
    try {
      for (const prepare of [
        (_: Error, calls: unknown) => calls,
        () => {
          throw new Error('no stack');
        },
      ]) {
        Error.prepareStackTrace = prepare;
        const sites = await scope(
          (s) => {
            s.spawn(async () => {});
            return s.tree().children.map(({ site }) => site);
          },
          { spawnSites: true },
        );
        expect(sites).toEqual([undefined]);
      }
    } finally {
      Error.prepareStackTrace = before;
    }
  });
});

describe("the age of a task, by the platform's clock", () => {
  afterEach(() => vi.restoreAllMocks());

  /** A clock that advances by 100 ms at each reading, and never shows a whole number. */
  const moving = (): { readings: number } => {
    const counted = { readings: 0 };
    vi.spyOn(performance, 'now').mockImplementation(() => ++counted.readings * 100 + 0.25);
    return counted;
  };
  const tasksOf = (s: Scope): (readonly [string | undefined, number])[] =>
    s.tree().children.map(({ name, ageMs }) => [name, ageMs] as const);

  it('is read twice for all tasks that are spawned in one synchronous run', async () => {
    await scope(async (s) => {
      const { work, fulfil } = deaf();
      const clock = moving();
      for (let i = 0; i < 1_000; i++) s.spawn(work);
      expect(clock.readings).toBe(2);
      await null;
      const before = clock.readings;
      for (let i = 0; i < 1_000; i++) s.spawn(work);
      expect(clock.readings - before).toBe(2);
      fulfil();
    });
  });

  it('belongs to its own run: the next run reads the clock again', async () => {
    await scope(async (s) => {
      const { work, fulfil } = deaf();
      moving();
      for (const name of ['a', 'b', 'c']) s.spawn(work, { name });
      await null;
      for (const name of ['d', 'e', 'f']) s.spawn(work, { name });
      const ages = tasksOf(s);
      const [a, b, c, d, e, f] = ages.map(([, age]) => age) as [number, number, number, number, number, number];
      expect(ages.every(([, age]) => Number.isInteger(age))).toBe(true);
      // Each entry of the tree reads the clock once more: 100 ms between neighbours of one reading.
      expect([b - a, c - b, d - c, e - d, f - e]).toEqual([0, 100, 0, 0, 100]);
      expect(ages.map(([name]) => name)).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
      fulfil();
    });
  });

  it('is exact for tasks that are each spawned after the end of the one before', async () => {
    await scope(async (s) => {
      const clock = moving();
      for (let i = 1; i <= 10; i++) {
        // Not across the await: other code reads the clock as well.
        const before = clock.readings;
        const task = s.spawn(async () => {});
        expect(clock.readings - before).toBe(1);
        await task;
      }
    });
  });
});

describe('formatTree', () => {
  it('prints twenty thousand levels: from the 65th on, the depth is a number', () => {
    const leaf: ScopeTree = {
      kind: 'task',
      name: undefined,
      state: 'running',
      isCancelled: false,
      ageMs: 0,
      children: [],
    };
    let tree = leaf;
    for (let i = 0; i < 20_000; i++) tree = { ...leaf, children: [tree, leaf] };
    const lines = formatTree(tree).split('\n');
    expect(lines).toHaveLength(40_001);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(300);
    expect(lines[64]).toMatch(/^(│ {2}){63}├─ task: running, 0 ms$/);
    expect(lines[65]).toMatch(/^(│ {2}){64}\[65\] task: running, 0 ms$/);
    expect(lines[20_000]).toContain('[20000] task');
    expect(lines.at(-1)).toBe('└─ task: running, 0 ms');
  });
});
