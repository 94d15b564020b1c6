// Groups whose sources end in unusual ways, or at unusual times.
import { CancellationToken } from '@quiesce/cancellation-token';
import { describe, expect, test } from 'vitest';
import { RefClock } from './helpers/ref-clock.ts';
import { callback, type Log, microtasks } from './helpers/script.ts';

describe.each(['any', 'all'] as const)('`%s` is notified by a source', (kind) => {
  const ends: Record<string, (make: () => CancellationToken) => CancellationToken> = {
    'that is disposed in its own callback': (make) => {
      const source = make();
      source.onCancelled(() => source.dispose());
      return source;
    },
    'that is disposed in a callback of its parent': (make) => {
      const parent = make();
      const source = parent.childToken();
      parent.onCancelled(() => source.dispose());
      return source;
    },
  };

  test.each(Object.keys(ends))('%s: callbacks, waiters and the signal', async (end) => {
    const root = new CancellationToken();
    const source = ends[end]?.(() => root.childToken()) as CancellationToken;
    const group = CancellationToken[kind]([source]);
    const log: Log = [];
    callback(log, group, 'callback');
    void group.cancelled().then(() => log.push('waiter'));
    group.signal.addEventListener('abort', () => log.push('signal'));
    root.cancel('stop');
    await microtasks();
    expect(log).toEqual(['callback', 'signal', 'waiter']);
  });

  test.each([1, 2, 3, 10])('whose deadline passes at any moment while %i groups start to listen', (levels) => {
    for (let readings = 1; readings <= 4 * levels + 8; readings++) {
      const clock = new RefClock();
      let token = CancellationToken.timeout(10, { clock });
      for (let i = 0; i < levels; i++) token = CancellationToken[kind]([token]);
      const log: Log = [];
      let left = readings;
      clock.onNow = () => {
        if (--left === 0) clock.time = 10;
      };
      callback(log, token, 'called');
      clock.onNow = () => {};
      clock.fire(10);
      expect([readings, log, clock.refs]).toEqual([readings, ['called'], []]);
    }
  });
});

test('a token that is wrapped in `any` in each iteration of a loop costs the same in each', () => {
  const turns = 20_000;
  let calls = 0;
  const stop = new CancellationToken();
  let token = stop;
  for (let i = 0; i < turns; i++) {
    token = CancellationToken.any([token, new CancellationToken()]);
    if (token.isCancelled) calls++;
    token.onCancelled(() => calls++);
  }
  stop.cancel();
  expect(calls).toBe(turns);
});

describe.each(['any', 'all'] as const)('`%s` of plain tokens, read after a cancellation elsewhere,', (kind) => {
  const parent = new CancellationToken();
  const tree = (): CancellationToken => {
    const root = new CancellationToken();
    root.childToken();
    return root;
  };

  /** A token that counts how often its state is read. */
  function counted(): { readonly token: CancellationToken; readonly count: { reads: number } } {
    const token = new CancellationToken();
    const count = { reads: 0 };
    let flags: unknown = Reflect.get(token, 'flags');
    Object.defineProperty(token, 'flags', {
      get: () => {
        count.reads++;
        return flags;
      },
      set: (value) => {
        flags = value;
      },
    });
    return { token, count };
  }

  test.each<[string, (group: CancellationToken) => unknown, () => CancellationToken]>([
    ['is not read while the group is unobserved', () => {}, () => new CancellationToken()],
    ['is not read while the group is observed', (group) => group.onCancelled(() => {}), () => new CancellationToken()],
    [
      'is not read after the cancellation of a tree while the group is observed',
      (group) => group.onCancelled(() => {}),
      tree,
    ],
    ['is not read after the cancellation of a tree while the group is unobserved', () => {}, tree],
    [
      'is not read after the cancellation of a sibling that has children',
      () => {},
      () => {
        const child = parent.childToken();
        child.childToken().isCancelled;
        return child;
      },
    ],
  ])('%s: a source', (_, observe, elsewhere) => {
    const { token, count } = counted();
    const group = CancellationToken[kind]([token, parent.childToken()]);
    observe(group);
    expect(group.isCancelled).toBe(false);
    count.reads = 0;
    for (let i = 0; i < 10; i++) {
      elsewhere().cancel();
      expect([group.isCancelled, group.childToken().isCancelled]).toEqual([false, false]);
    }
    expect(count.reads).toBe(0);
  });

  test('detects a cancellation above its sources, however they got there', () => {
    const root = new CancellationToken();
    const disposed = root.childToken();
    const sources = [root.childToken().childToken(), disposed.childToken(), disposed.childToken().childToken()];
    disposed.dispose();
    const groups = sources.map((token) => CancellationToken[kind]([token]));
    const late = CancellationToken[kind](groups.slice(1));
    const all = [...groups, late, CancellationToken[kind]([late.childToken()])];
    expect(all.map((group) => group.isCancelled)).toEqual([false, false, false, false, false]);
    root.cancel('stop');
    expect(all.map((group) => group.reason)).toEqual(['stop', 'stop', 'stop', 'stop', 'stop']);
  });
});
