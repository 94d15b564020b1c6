// Groups of tokens some of which have a deadline: which of them keep the process alive, and deadlines that pass at the wrong
// moment.
import { CancellationToken } from '@quiesce/cancellation-token';
import { describe, expect, test } from 'vitest';
import { RefClock } from './helpers/ref-clock.ts';
import { callback, type Log, microtasks } from './helpers/script.ts';

describe('the timer of a source no longer keeps the process alive', () => {
  /** A source with a deadline and a callback of its own, and a group that a waiter waits for. */
  function waitedFor(): { clock: RefClock; plain: CancellationToken; either: CancellationToken } {
    const clock = new RefClock();
    const timed = CancellationToken.timeout(1_000, { clock });
    timed.onCancelled(() => {});
    const plain = new CancellationToken();
    const either = CancellationToken.any([timed, plain]);
    expect(clock.refs).toEqual([false]);
    void either.cancelled().then();
    expect(clock.refs).toEqual([true]);
    return { clock, plain, either };
  }

  test('when the group itself is cancelled', () => {
    const { clock, either } = waitedFor();
    either.cancel();
    expect(clock.refs).toEqual([false]);
  });

  test('when the group is cancelled by another source', () => {
    const { clock, plain } = waitedFor();
    plain.cancel();
    expect(clock.refs).toEqual([false]);
  });

  test('when the group is disposed', () => {
    const { clock, either } = waitedFor();
    either.dispose();
    expect(clock.refs).toEqual([false]);
  });
});

describe('a deadline that passes while a group is polled', () => {
  test('does not replace the reason of the group when its callback cancels the group', () => {
    const clock = new RefClock();
    const [timed, other] = [CancellationToken.timeout(10, { clock }), new CancellationToken()];
    const both = CancellationToken.all([timed, other]);
    timed.onCancelled(() => {
      both.cancel('own');
      other.cancel('other');
    });
    clock.time = 10;
    expect(both.isCancelled).toBe(true);
    expect(both.reason).toBe('own');
  });

  test('is detected when its callback cancels a token between the group and the token that was read', () => {
    const clock = new RefClock();
    const [timed, other] = [CancellationToken.timeout(10, { clock }), new CancellationToken()];
    const middle = CancellationToken.all([timed, other]).childToken();
    const leaf = middle.childToken();
    timed.onCancelled(() => middle.cancel('middle'));
    clock.time = 10;
    expect(leaf.isCancelled).toBe(true);
    expect(leaf.reason).toBe('middle');
  });

  test('is detected when its callback cancels a source that was polled before', () => {
    const clock = new RefClock();
    const [other, timed] = [new CancellationToken(), CancellationToken.timeout(10, { clock })];
    const both = CancellationToken.all([other, timed]);
    timed.onCancelled(() => other.cancel('other'));
    clock.time = 10;
    const log: Log = [];
    callback(log, both, 'both');
    expect(log).toEqual(['both']);
    expect(both.reason).toBe('other');
  });

  test('leaves the group frozen when its callback disposes the group', () => {
    const clock = new RefClock();
    const timed = CancellationToken.timeout(10, { clock });
    const either = CancellationToken.any([timed]);
    timed.onCancelled(() => either.dispose());
    clock.time = 10;
    const before = either.isCancelled;
    expect([before, either.isCancelled]).toEqual([before, before]);
    expect(timed.isCancelled).toBe(true);
  });
});

test.each(['any', 'all'] as const)(
  'a deadline that passes between polling and listening reaches `%s`',
  async (kind) => {
    for (const readings of [1, 2, 3, 4, 5, 6]) {
      const clock = new RefClock();
      const source = CancellationToken.timeout(10, { clock });
      const group = CancellationToken[kind]([source]);
      const log: Log = [];
      let left = readings;
      clock.onNow = () => {
        if (--left === 0) clock.time = 10;
      };
      group.onCancelled((reason) => log.push(`${(reason as Error).name}`));
      await microtasks();
      clock.onNow = () => {};
      clock.fire(11);
      expect(log).toEqual(['TimeoutError']);
    }
  },
);

test('a source that is cancelled while the group starts to listen does not leave it half linked', async () => {
  const clock = new RefClock();
  const late = new CancellationToken();
  const timed = CancellationToken.timeout(10, { clock });
  const group = CancellationToken.any([timed, late]);
  timed.onCancelled(() => late.cancel('late'));
  let left = 2;
  clock.onNow = () => {
    if (--left === 0) clock.time = 10;
  };
  const log: unknown[] = [];
  group.onCancelled((reason) => log.push(reason));
  await microtasks();
  clock.fire(11);
  expect(log).toEqual([timed.reason]);
});

test('10,000 observed children of a disposed token with a deadline share one timer, which is now their own', () => {
  const clock = new RefClock();
  const timed = CancellationToken.timeout(10, { clock });
  let calls = 0;
  const count = (): void => {
    calls++;
  };
  const children = Array.from({ length: 10_000 }, () => timed.childToken());
  for (const child of children) child.onCancelled(count);
  void children[5_000]?.cancelled().then();
  expect(clock.refs).toEqual([true]);
  timed.dispose();
  expect(clock.refs).toEqual([true]);
  children[5_000]?.dispose();
  expect(clock.refs).toEqual([false]);
  clock.fire(10);
  expect([calls, clock.refs]).toEqual([9_999, []]);
});
