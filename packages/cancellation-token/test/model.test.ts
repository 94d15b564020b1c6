// Random operations on the tree and on a naive model of it, including from inside callbacks: every state and the exact order of
// all notifications must be the same. A failure prints the seed and the shortest script that shows it.
import { CancellationToken, PENDING, type Registration, source, type Waiter } from '@quiesce/cancellation-token';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { type Entry, type NaiveToken, NaiveTree } from './helpers/naive-tree.ts';
import { idleWaiter, type Log } from './helpers/script.ts';

const acts = ['root', 'child', 'cancel', 'dispose', 'callback', 'dispose', 'signal', 'park', 'unpark', 'read'] as const;

/** One operation. Numbers select among the existing tokens and registrations; `inside` runs inside the callback or waiter. */
interface Step {
  readonly act: (typeof acts)[number];
  readonly at: number;
  readonly other: number;
  readonly inside: Step | undefined;
}

const step = (depth: number): fc.Arbitrary<Step> =>
  fc.record({
    act: fc.constantFrom(...acts),
    at: fc.nat(1_000),
    other: fc.nat(1_000),
    inside: depth === 0 ? fc.constant(undefined) : fc.option(step(depth - 1), { nil: undefined, freq: 1 }),
  });

/** The operations that both sides support. */
interface Side<T> {
  readonly log: Log;
  root(): T;
  child(of: T): T;
  cancel(token: T, reason: string): boolean;
  dispose(token: T): void;
  /** Returns a function that removes it. */
  callback(token: T, name: string, then: () => void): () => boolean;
  signal(token: T, name: string): void;
  /** A waiter, parked nowhere. */
  waiter(name: string, then: () => void): { park(token: T): void; unpark(token: T): void; isParked(): boolean };
  answers(token: T): unknown[];
}

function real(): Side<CancellationToken> {
  const log: Log = [];
  const heard = new Set<AbortSignal>();
  return {
    log,
    root: () => new CancellationToken(),
    child: (of) => of.childToken(),
    cancel: (token, reason) => token.cancel(reason),
    dispose: (token) => token.dispose(),
    callback(token, name, then) {
      const registration: Registration = token.onCancelled((reason) => {
        log.push(`${name}: ${String(reason)}`);
        then();
      });
      return () => registration.dispose();
    },
    signal(token, name) {
      if (heard.has(token.signal)) return;
      heard.add(token.signal);
      token.signal.addEventListener('abort', () => log.push(name));
    },
    waiter(name, then) {
      const waiter: Waiter = idleWaiter(log, name, then);
      return {
        park: (token) => token[source].park(waiter),
        unpark: (token) => token[source].unpark(waiter),
        isParked: () => waiter.owner !== undefined,
      };
    },
    answers: (token) => [token.isCancelled, token.reason, poll(token[source].poll())],
  };
}

function naive(): Side<NaiveToken> {
  const log: Log = [];
  const tree = new NaiveTree(log);
  const signals = new Set<NaiveToken>();
  return {
    log,
    root: () => tree.create(),
    child: (of) => tree.create(of),
    cancel: (token, reason) => tree.cancel(token, reason),
    dispose: (token) => tree.dispose(token),
    callback(token, name, then) {
      const entry: Entry = { kind: 'callback', name, act: then, on: undefined };
      tree.register(token, entry);
      return () => tree.remove(entry);
    },
    signal(token, name) {
      if (signals.has(token)) return;
      signals.add(token);
      tree.park(token, { kind: 'signal', name, act: undefined, on: undefined });
    },
    waiter(name, then) {
      const entry: Entry = { kind: 'waiter', name, act: then, on: undefined };
      return {
        park: (token) => tree.park(token, entry),
        unpark: () => void tree.remove(entry),
        isParked: () => entry.on !== undefined,
      };
    },
    answers(token) {
      const [own, polled] = [tree.reasonOf(token), tree.poll(token)];
      return [own !== undefined, own?.value, polled === undefined ? 'pending' : polled.value];
    },
  };
}

const poll = (value: unknown): unknown => (value === PENDING ? 'pending' : value);

/** Performs a script and returns a log of everything observable. */
function perform<T>(side: Side<T>, script: readonly Step[]): Log {
  const { log } = side;
  const tokens = [side.root()];
  const registrations: (() => boolean)[] = [];
  const waiters: { waiter: ReturnType<Side<T>['waiter']>; token: T }[] = [];
  let names = 0;
  const pick = <E>(list: readonly E[], index: number): E | undefined => list[index % list.length];

  const run = ({ act, at, other, inside }: Step): void => {
    const token = pick(tokens, at) as T;
    const name = `${act} ${names++}`;
    const then = (): void => void (inside !== undefined && run(inside));
    if (act === 'root') tokens.push(side.root());
    if (act === 'child') tokens.push(side.child(token));
    if (act === 'cancel') log.push(`${name} → ${side.cancel(token, name)}`);
    if (act === 'dispose') side.dispose(token);
    if (act === 'callback') registrations.push(side.callback(token, name, then));
    if (act === 'dispose') log.push(`${name} → ${pick(registrations, other)?.()}`);
    if (act === 'signal') side.signal(token, name);
    if (act === 'park') {
      const known = other % 3 === 0 ? pick(waiters, at) : undefined;
      const used = known ?? { waiter: side.waiter(name, then), token };
      if (known === undefined) waiters.push(used);
      used.waiter.park(used.token);
    }
    if (act === 'unpark') {
      const known = pick(waiters, other);
      known?.waiter.unpark(known.token);
    }
    if (act === 'read') log.push(`${name} → ${side.answers(token).map(String)}`);
  };
  for (const one of script) {
    run(one);
    // Not after every step: reading caches results, and a state that was never read must be right as well.
    if (one.other % 4 === 0) log.push(tokens.map((token) => side.answers(token).map(String)).join(' | '));
    log.push(waiters.map(({ waiter }) => (waiter.isParked() ? 'parked' : 'free')).join(' '));
  }
  log.push(tokens.map((token) => side.answers(token).map(String)).join(' | '));
  return log;
}

vi.setConfig({ testTimeout: 120_000 });

test('random operations give the state and calls of the naive model', () => {
  let fired = 0;
  fc.assert(
    fc.property(fc.array(step(2), { minLength: 1, maxLength: 60, size: 'max' }), (script) => {
      const log = perform(real(), script);
      fired += log.filter((line) => /^(callback|park|signal) \d+(:|$)/.test(line)).length;
      expect(log).toEqual(perform(naive(), script));
    }),
    { numRuns: 1_000 },
  );
  // Scripts in which nothing ever fires would compare nothing.
  expect(fired).toBeGreaterThan(1_000);
});
