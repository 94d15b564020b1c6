// Random operations on tokens with deadlines and on groups, and on a naive model of them: the same state, the same callbacks at
// the same step, and exactly the timers that are needed. A failure prints the seed and the shortest script.
import { CancellationToken, PENDING, type RenewableDeadline, source, type Waiter } from '@quiesce/cancellation-token';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { type Deadline, type LinkedEntry, type LinkedToken, NaiveLinked } from './helpers/naive-linked.ts';
import { RefClock } from './helpers/ref-clock.ts';
import { idleWaiter, type Log } from './helpers/script.ts';

const acts = [
  'root',
  'child',
  'timeout',
  'timeout',
  'renewable',
  'renew',
  'renew',
  'any',
  'all',
  'cancel',
  'dispose',
  'callback',
  'callback',
  'dispose',
  'signal',
  'park',
  'park',
  'unpark',
  'advance',
  'advance',
  'read',
] as const;

/** One operation. Numbers select among the existing tokens and registrations. */
interface Step {
  readonly act: (typeof acts)[number];
  readonly at: number;
  readonly other: number;
}

const step: fc.Arbitrary<Step> = fc.record({ act: fc.constantFrom(...acts), at: fc.nat(1_000), other: fc.nat(1_000) });

/** The operations that both sides support. */
interface Side<T, D> {
  readonly log: Log;
  root(): T;
  child(of: T): T;
  withTimeout(of: T, ms: number): T;
  renewable(of: T, ms: number): [T, D];
  renew(deadline: [T, D], ms: number, since: number): boolean;
  group(members: T[], isAll: boolean): T;
  cancel(token: T, reason: string): boolean;
  dispose(token: T): void;
  /** Returns a function that removes it. */
  callback(token: T, name: string): () => boolean;
  signal(token: T, name: string): void;
  /** Parks a new waiter and returns a function that unparks it. */
  park(token: T, name: string): () => void;
  /** Advances time by 1 ms. */
  advance(): void;
  answers(token: T): unknown[];
  timers(): unknown;
}

function real(): Side<CancellationToken, RenewableDeadline> {
  const log: Log = [];
  const clock = new RefClock();
  const heard = new Set<AbortSignal>();
  return {
    log,
    root: () => new CancellationToken(),
    child: (of) => of.childToken(),
    withTimeout: (of, ms) => of.withTimeout(ms, { clock }),
    renewable: (of, ms) => {
      const made = of.renewable(ms, { clock });
      return [made.token, made];
    },
    renew: ([, deadline], ms, since) => deadline.renew(ms, since),
    group: (members, isAll) => CancellationToken[isAll ? 'all' : 'any'](members),
    cancel: (token, reason) => token.cancel(reason),
    dispose: (token) => token.dispose(),
    callback(token, name) {
      const registration = token.onCancelled((reason) => log.push(`${name}: ${String(reason)}`));
      return () => registration.dispose();
    },
    signal(token, name) {
      const { signal } = token;
      if (heard.has(signal) || signal.aborted) return;
      heard.add(signal);
      signal.addEventListener('abort', () => log.push(`${name}: ${String(signal.reason)}`));
    },
    park(token, name) {
      const waiter: Waiter = idleWaiter([], name, () => log.push(`${name}: ${String(token[source].poll())}`));
      if (token[source].poll() === PENDING) token[source].park(waiter);
      return () => token[source].unpark(waiter);
    },
    advance: () => clock.fire(clock.time + 1),
    answers: (token) => {
      const value = token[source].poll();
      const { deadline, timeLeft } = token;
      return [token.isCancelled, token.reason, value === PENDING ? 'pending' : value, deadline?.getTime(), timeLeft];
    },
    timers: () => [clock.refs.length, clock.refs.filter(Boolean).length],
  };
}

function naive(): Side<LinkedToken, Deadline> {
  const log: Log = [];
  const tree = new NaiveLinked(log);
  const signals = new Set<LinkedToken>();
  const entry = (kind: LinkedEntry['kind'], name: string): LinkedEntry => ({ kind, name, on: undefined });
  return {
    log,
    root: () => tree.create(),
    child: (of) => tree.create(of),
    withTimeout: (of, ms) => tree.withTimeout(of, ms),
    renewable: (of, ms) => tree.renewable(of, ms),
    renew: (deadline, ms, since) => tree.renew(deadline, ms, since),
    group: (members, isAll) => tree.create(undefined, members, isAll),
    cancel: (token, reason) => tree.cancel(token, reason),
    dispose: (token) => tree.dispose(token),
    callback(token, name) {
      const made = entry('callback', name);
      tree.register(token, made);
      return () => tree.remove(made);
    },
    signal(token, name) {
      if (signals.has(token) || token.reason !== undefined) return;
      signals.add(token);
      tree.register(token, entry('signal', name));
    },
    park(token, name) {
      const made = entry('waiter', name);
      tree.park(token, made);
      return () => void tree.remove(made);
    },
    advance: () => tree.advance(),
    answers: (token) => {
      const polled = tree.poll(token);
      const at = token.deadlines.length === 0 ? undefined : Math.min(...token.deadlines.map((deadline) => deadline.at));
      const left = at && Math.max(0, at - tree.now);
      return [token.reason !== undefined, token.reason?.text, polled?.text ?? 'pending', at, left];
    },
    timers: () => tree.timers,
  };
}

/** Performs a script and returns a log of everything observable, step by step. */
function perform<T, D>(side: Side<T, D>, script: readonly Step[]): unknown[] {
  const tokens = [side.root()];
  const deadlines: [T, D][] = [];
  const registrations: (() => boolean)[] = [];
  const waiters: (() => void)[] = [];
  const passed = new Set<number>();
  let now = 0;
  let names = 0;
  const pick = <E>(list: readonly E[], index: number): E | undefined => list[index % list.length];
  const readAll = (): unknown[] => tokens.map((token) => side.answers(token).map(String).join());

  /** Two deadlines of the same time would race for the groups above them. */
  const distinct = (ms: number): number => {
    let free = ms;
    while (passed.has(now + free)) free++;
    passed.add(now + free);
    return free;
  };

  return script.map(({ act, at, other }) => {
    const token = pick(tokens, at) as T;
    const name = `${act} ${names++}`;
    const members = [token, pick(tokens, other) as T, pick(tokens, at + other) as T];
    let answer: unknown;
    if (act === 'root') tokens.push(side.root());
    if (act === 'child') tokens.push(side.child(token));
    if (act === 'timeout') tokens.push(side.withTimeout(token, distinct(other % 7)));
    if (act === 'renewable') {
      const made = side.renewable(token, distinct(other % 7));
      deadlines.push(made);
      tokens.push(made[0]);
    }
    const deadline = pick(deadlines, at);
    if (act === 'renew' && deadline) answer = side.renew(deadline, distinct(other % 9) + (at % 4), now - (at % 4));
    if (act === 'any' || act === 'all') tokens.push(side.group(members.slice(other % 3), act === 'all'));
    if (act === 'cancel') answer = side.cancel(token, name);
    if (act === 'dispose') side.dispose(token);
    if (act === 'callback') registrations.push(side.callback(token, name));
    if (act === 'dispose') answer = pick(registrations, other)?.();
    if (act === 'signal') side.signal(token, name);
    if (act === 'park') waiters.push(side.park(token, name));
    if (act === 'unpark') pick(waiters, other)?.();
    if (act === 'read') answer = side.answers(token).map(String);
    if (act === 'advance') {
      now++;
      side.advance();
    }
    // Whether a deadline of an unobserved token comes before a later cancellation depends on the reads in between.
    const isTimed = ['advance', 'timeout', 'renewable', 'renew'].includes(act);
    const states = isTimed || other % 4 === 0 ? readAll() : [];
    return { name, answer, states, fired: side.log.splice(0).sort(), timers: side.timers() };
  });
}

vi.setConfig({ testTimeout: 120_000 });

test('random operations with deadlines and groups give the state, calls and timers of the naive model', () => {
  let fired = 0;
  let timedOut = 0;
  let renewed = 0;
  let refused = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 60, size: 'max' }), (script) => {
      const log = perform(real(), script);
      const text = JSON.stringify(log);
      fired += text.match(/"(callback|park|signal) \d+: /g)?.length ?? 0;
      timedOut += text.match(/"(callback|park|signal) \d+: Timeout/g)?.length ?? 0;
      renewed += text.match(/"renew \d+","answer":true/g)?.length ?? 0;
      refused += text.match(/"renew \d+","answer":false/g)?.length ?? 0;
      expect(log).toEqual(perform(naive(), script));
    }),
    { numRuns: 2_000 },
  );
  // Scripts in which nothing ever fires would compare nothing.
  expect(fired).toBeGreaterThan(1_000);
  expect(timedOut).toBeGreaterThan(300);
  expect(renewed).toBeGreaterThan(1_000);
  expect(refused).toBeGreaterThan(1_000);
});
