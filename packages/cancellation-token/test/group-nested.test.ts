// Groups of groups, as deep, as wide and as shared as users may build them.
import { CancellationToken } from '@quiesce/cancellation-token';
import { describe, expect, test } from 'vitest';
import { RefClock } from './helpers/ref-clock.ts';
import { callback, type Log } from './helpers/script.ts';

/** Deeper than the stack allows calls. */
const deep = 20_000;

/** Returns `kind` of `kind` of … of one source and, at each level, a token of its own. */
function nest(kind: 'any' | 'all', source: CancellationToken | AbortSignal, levels = deep): CancellationToken {
  let token = CancellationToken[kind]([source]);
  for (let i = 1; i < levels; i++) token = CancellationToken[kind](kind === 'any' ? [token, own()] : [token]);
  return token;
}

/** Returns a group that is combined from the previous one twice at each level: 2 to the power of `levels` paths. */
function diamonds(source: CancellationToken | AbortSignal, levels = 200): CancellationToken {
  let token = CancellationToken.any([source]);
  for (let i = 0; i < levels; i++) token = CancellationToken.any([token.childToken(), token.childToken()]);
  return token;
}

const own = (): CancellationToken => new CancellationToken();

describe.each(['any', 'all'] as const)('%s, nested 20,000 times', (kind) => {
  test('has the right state when it is not observed', () => {
    const source = own();
    const token = nest(kind, source);
    expect(token.isCancelled).toBe(false);
    source.cancel('bottom');
    expect(token.reason).toBe('bottom');
  });

  test('is notified synchronously when it is observed', () => {
    const source = own();
    const log: Log = [];
    callback(log, nest(kind, source), 'top');
    source.cancel();
    expect(log).toEqual(['top']);
  });

  test('stops listening to its source', () => {
    const source = own();
    nest(kind, source)
      .onCancelled(() => {})
      .dispose();
    expect(Reflect.get(source, 'head')).toBeUndefined();
  });

  test('sets the timer of a deadline at its bottom, and lets it keep the process alive, only while a waiter waits', () => {
    const clock = new RefClock();
    const token = nest(kind, CancellationToken.timeout(10, { clock }));
    const registration = token.onCancelled(() => {});
    expect(clock.refs).toEqual([false]);
    void token.cancelled().then(() => {});
    expect(clock.refs).toEqual([true]);
    registration.dispose();
    token.dispose();
    expect(clock.refs).toEqual([]);
  });

  test('is cancelled by a deadline that has passed, whichever token is read', () => {
    const clock = new RefClock();
    const token = nest(kind, CancellationToken.timeout(10, { clock }));
    expect(token.isCancelled).toBe(false);
    clock.time = 10;
    expect(token.isCancelled).toBe(true);
  });
});

test('a group that reaches one source by 2^200 paths polls it once', () => {
  const controller = new AbortController();
  const token = diamonds(controller.signal);
  expect(token.isCancelled).toBe(false);
  controller.abort('stop');
  expect(token.reason).toBe('stop');
});

test('a group that reaches one source by 2^200 paths is notified once', () => {
  const source = own();
  const log: Log = [];
  callback(log, diamonds(source), 'top');
  source.cancel();
  expect(log).toEqual(['top']);
});

test('`all` of 50,000 handles each cancellation in O(1), observed and not', () => {
  const sources = Array.from({ length: 50_000 }, own);
  const [observed, unobserved] = [CancellationToken.all(sources), CancellationToken.all(sources)];
  const log: Log = [];
  callback(log, observed, 'last');
  let early = 0;
  for (const source of sources) {
    if (log.length > 0 || unobserved.isCancelled) early++;
    source.cancel();
  }
  expect([early, log, unobserved.isCancelled]).toEqual([0, ['last'], true]);
});

test('a callback that aborts a signal while groups are polled finds them cancelled', () => {
  const clock = new RefClock();
  const controller = new AbortController();
  const [timed, foreign] = [CancellationToken.timeout(10, { clock }), CancellationToken.any([controller.signal])];
  const seen: unknown[] = [];
  timed.onCancelled(() => {
    seen.push(foreign.isCancelled);
    controller.abort('inside');
    seen.push(foreign.isCancelled);
  });
  const both = CancellationToken.all([CancellationToken.any([foreign, own()]), timed]);
  clock.time = 10;
  // `all` polls its sources in order and stops at the first that is not cancelled, so this polls the deadline first.
  const first = CancellationToken.all([timed, CancellationToken.any([foreign])]);
  expect([first.isCancelled, both.isCancelled, seen]).toEqual([true, true, [false, true]]);
});

test('a group that becomes observed inside a callback, while another one starts to listen, misses nothing', () => {
  const clock = new RefClock();
  const log: Log = [];
  const timed = CancellationToken.timeout(10, { clock });
  const late = own();
  const inner = CancellationToken.any([late]);
  timed.onCancelled(() => {
    callback(log, inner, 'inner');
    late.cancel();
  });
  const outer = CancellationToken.any([own(), CancellationToken.all([timed, own()])]);
  callback(log, outer, 'outer');
  clock.time = 10;
  expect(timed.isCancelled).toBe(true);
  expect(log).toEqual(['inner']);
});
