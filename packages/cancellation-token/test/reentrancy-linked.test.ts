// Callbacks that change tokens with a deadline, and groups and their members, while these are being notified.
import { CancellationToken, type Registration, source } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { describe, expect, test } from 'vitest';
import { callback, type Log, listener, waiter } from './helpers/script.ts';

/** The token to cancel, and how to cause its cancellation. */
interface Scene {
  readonly token: CancellationToken;
  /** Causes the cancellation, from outside. */
  readonly end: () => unknown;
  /** The number of timers that are set. */
  readonly left: () => number;
}

const scenes: Record<string, () => Scene> = {
  'a token with a deadline': () => {
    const clock = new VirtualClock();
    return {
      token: CancellationToken.timeout(5, { clock }),
      end: () => clock.advance(5),
      left: () => clock.pendingCount,
    };
  },
  'a child of a token with a deadline': () => {
    const clock = new VirtualClock();
    const token = CancellationToken.timeout(5, { clock }).childToken();
    return { token, end: () => clock.advance(5), left: () => clock.pendingCount };
  },
  'any of two': () => {
    const [a, b] = [new CancellationToken(), new CancellationToken()];
    return { token: CancellationToken.any([a, b]), end: () => b.cancel('b'), left: () => 0 };
  },
  'all of two': () => {
    const [a, b] = [new CancellationToken(), new CancellationToken()];
    a.cancel();
    return { token: CancellationToken.all([a, b]), end: () => b.cancel('b'), left: () => 0 };
  },
  'any with a deadline among its members': () => {
    const clock = new VirtualClock();
    const token = CancellationToken.any([new CancellationToken(), CancellationToken.timeout(5, { clock })]);
    return { token, end: () => clock.advance(5), left: () => clock.pendingCount };
  },
  'a follower of a signal': () => {
    const controller = new AbortController();
    return { token: CancellationToken.from(controller.signal), end: () => controller.abort('it'), left: () => 0 };
  },
};

const places: Record<string, (then: () => void, token: CancellationToken) => unknown> = {
  'a callback': (then, token) => token.onCancelled(then),
  'a wake-up': (then, token) => waiter([], token, 'woken', then),
  'a listener': (then, token) => listener([], token, 'fired', then),
};

describe.each(Object.entries(scenes))('of %s,', (_, make) => {
  describe.each(Object.entries(places))('%s', (_place, inside) => {
    test('finds it cancelled, and cannot cancel it again', async () => {
      const { token, end } = make();
      const log: Log = [];
      inside(() => log.push(`${token.isCancelled} ${token.cancel('again')} ${token.reason === 'again'}`), token);
      callback(log, token, 'next');
      await end();
      expect(log).toEqual(['true false false', 'next']);
    });

    test('removes queued callbacks, and its new callbacks run immediately', async () => {
      const { token, end } = make();
      const log: Log = [];
      const queued: Registration[] = [];
      inside(() => {
        log.push(`${queued.map((registration) => registration.dispose())}`);
        callback(log, token, 'registered inside');
        token[source].unpark(gone);
      }, token);
      queued.push(callback(log, token, 'removed'), callback(log, token.childToken(), 'removed below'));
      const gone = waiter(log, token, 'unparked');
      callback(log, token, 'next');
      await end();
      expect(log).toEqual(['true,true', 'registered inside', 'next']);
    });

    test('disposes it: its callbacks are silenced, its waiters and the tokens below are notified', async () => {
      const { token, end, left } = make();
      const log: Log = [];
      inside(() => token.dispose(), token);
      callback(log, token, 'silenced');
      waiter(log, token, 'waiter');
      callback(log, token.childToken(), 'below');
      await end();
      expect(log).toEqual(['waiter', 'below']);
      expect([token.isCancelled, left()]).toEqual([true, 0]);
    });

    test('creates children of it, which are already cancelled, and sets no timer', async () => {
      const { token, end, left } = make();
      const born: CancellationToken[] = [];
      inside(() => born.push(token.childToken(), token.withTimeout(1_000), token.childToken().childToken()), token);
      await end();
      expect(born.map(({ reason }) => reason === token.reason)).toEqual([true, true, true]);
      const log: Log = [];
      for (const child of born) callback(log, child, 'at once');
      expect([log, left()]).toEqual([['at once', 'at once', 'at once'], 0]);
    });
  });

  test('disposing it before it is notified removes it', async () => {
    const { token, end, left } = make();
    token.onCancelled(() => expect.unreachable());
    token.dispose();
    await end();
    expect([token.isCancelled, left()]).toEqual([false, 0]);
  });
});

describe('inside a callback of a member', () => {
  test.each(['any', 'all'] as const)('`%s` is already cancelled, and its own callbacks run later', (kind) => {
    const member = new CancellationToken();
    const group = CancellationToken[kind]([member]);
    const log: Log = [];
    member.onCancelled(() => log.push(`member, group: ${String(group.reason)} ${group.cancel('own')}`));
    callback(log, group, 'group');
    callback(log, member, 'member again');
    member.cancel('why');
    expect(log).toEqual(['member, group: why false', 'member again', 'group']);
  });

  test('disposing the group leaves it cancelled, with its callbacks silenced', () => {
    const member = new CancellationToken();
    const group = CancellationToken.any([member]);
    member.onCancelled(() => group.dispose());
    group.onCancelled(() => expect.unreachable());
    member.cancel('why');
    expect(group.reason).toBe('why');
  });

  test('disposing another member leaves the group active without it', () => {
    const [first, second, third] = [new CancellationToken(), new CancellationToken(), new CancellationToken()];
    const all = CancellationToken.all([first, third]);
    first.onCancelled(() => second.dispose());
    const log: Log = [];
    callback(log, all, 'all');
    callback(log, CancellationToken.any([second, third]), 'any');
    first.cancel();
    expect(log).toEqual([]);
    third.cancel();
    expect(log).toEqual(['all', 'any']);
  });

  test('cancelling the next member gives the reason of the first', () => {
    const [first, second] = [new CancellationToken(), new CancellationToken()];
    const log: unknown[] = [];
    first.onCancelled(() => second.cancel('second'));
    CancellationToken.any([second, first]).onCancelled((reason) => log.push(reason));
    first.cancel('first');
    expect(log).toEqual(['first']);
  });

  test('a new group over members of which one is marked is already cancelled', () => {
    const [first, second] = [new CancellationToken(), new CancellationToken()];
    const log: Log = [];
    first.onCancelled(() => {
      callback(log, CancellationToken.any([second, first.childToken()]), 'any');
      callback(log, CancellationToken.all([second, first]), 'all');
    });
    first.cancel();
    expect(log).toEqual(['any']);
    second.cancel();
    expect(log).toEqual(['any', 'all']);
  });
});

test('deadlines of the same time fire each, even when the callback of one cancels or disposes the other', async () => {
  const clock = new VirtualClock();
  const tokens = Array.from({ length: 3 }, () => CancellationToken.timeout(5, { clock }));
  const log: Log = [];
  const [first, second, third] = tokens as [CancellationToken, CancellationToken, CancellationToken];
  first.onCancelled(() => log.push(`first ${second.cancel('too late: its time is over as well')}`));
  callback(log, second, 'second');
  callback(log, third, 'third', () => second.dispose());
  await clock.advance(5);
  expect([log, clock.pendingCount]).toEqual([['first false', 'second', 'third'], 0]);
});
