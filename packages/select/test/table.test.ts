// The table "Outcomes" of the README: each row is a test here, and each test here is a row.
import { readFileSync } from 'node:fs';
import { CancellationToken, setUncaughtHandler } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { branchOf, CleanupTimeoutError, match, SelectError, select, sleep } from '@quiesce/select';
import { describe, expect, test } from 'vitest';
import { cancelled, deferred, never, now, Probe, rejection, turn } from './vocabulary.ts';

const own = new Error('own');
/** Waits for its cancellation, and then runs `end`. */
const cancelledThen = (end: (token: CancellationToken) => unknown) => async (token: CancellationToken) => {
  await token.cancelled();
  return end(token);
};
const failed = (error: unknown) => turn().then(() => Promise.reject(error));

const rows: Record<string, () => Promise<void>> = {
  'a branch is ready first': async () => {
    expect(await select({ a: new Probe<number>(), b: new Probe(1) })).toEqual({ branch: 'b', value: 1 });
  },
  'a branch fails first': async () => {
    const error = new Error('disk');
    const loser = cancelledThen((token) => Promise.reject(token.reason));
    expect(await rejection(select({ disk: failed(error), loser }))).toBe(error);
    expect(branchOf(error)).toBe('disk');
  },
  'a function throws synchronously': async () => {
    const log: string[] = [];
    const first = cancelledThen(() => log.push('first ended'));
    const throws = (): never => {
      throw own;
    };
    expect(await rejection(select({ first, throws, never: () => log.push('started') }))).toBe(own);
    expect(log).toEqual(['first ended']);
  },
  'a losing promise rejects later': async () => {
    const unhandled: unknown[] = [];
    const note = (error: unknown): void => void unhandled.push(error);
    process.on('unhandledRejection', note);
    const { promise, reject } = deferred();
    await select({ promise, ready: cancelled(1) });
    reject(own);
    await turn();
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  },
  'a losing function ends with its cancellation': async () => {
    const loser = cancelledThen((token) => Promise.reject(token.reason));
    expect(await select({ loser, tick: turn() })).toEqual({ branch: 'tick', value: undefined });
  },
  'a losing function still fulfils': async () => {
    const outcome = await select({ loser: cancelledThen(() => 'late'), tick: turn() });
    expect(outcome.late).toEqual([{ branch: 'loser', value: 'late' }]);
  },
  'a losing function fails with its own error': async () => {
    const error = await rejection(select({ loser: cancelledThen(() => Promise.reject(own)), tick: turn() }));
    expect(error).toBeInstanceOf(SelectError);
    expect(error).toMatchObject({ errors: [own], outcome: { branch: 'tick' } });
  },
  'the same, after a branch has failed': async () => {
    const first = new Error('first');
    const loser = cancelledThen(() => Promise.reject(own));
    const error = await rejection(select({ loser, fails: failed(first) }));
    expect(error).toBeInstanceOf(SelectError);
    expect(error).toMatchObject({ errors: [first, own], outcome: undefined });
  },
  'a losing function ends after `cleanupTimeout`': async () => {
    const clock = new VirtualClock();
    const uncaught: unknown[] = [];
    setUncaughtHandler((error) => uncaught.push(error));
    const loser = cancelledThen(() => sleep(20, { clock }).then(() => Promise.reject(own)));
    const running = clock.run(() => select({ loser, tick: turn() }, { cleanupTimeout: 10, clock }));
    expect(await rejection(running)).toMatchObject({ unfinished: [{ name: 'loser' }], outcome: { branch: 'tick' } });
    expect(uncaught).toEqual([]);
    await clock.advance(10);
    setUncaughtHandler(undefined);
    expect(uncaught).toMatchObject([{ name: 'SelectError', errors: [own] }]);
  },
  'a losing function never ends': async () => {
    const clock = new VirtualClock();
    const waits = select({ deaf: () => never(), tick: turn() });
    for (let i = 0; i < 5; i++) expect(await now(waits)).toBe('pending');
    const bounded = clock.run(() => select({ deaf: () => never(), tick: turn() }, { cleanupTimeout: 10, clock }));
    expect(await rejection(bounded)).toBeInstanceOf(CleanupTimeoutError);
  },
  'a value does not match': async () => {
    const probe = new Probe(1);
    const outcome = select({ probe: match(probe, (n) => n > 1), tick: turn() });
    expect(await outcome).toEqual({ branch: 'tick', value: undefined });
    expect(probe.values).toEqual([]);
  },
  'every branch is off': async () => {
    expect(await select({ off: false, else: () => 'idle' })).toEqual({ branch: 'else', value: 'idle' });
    const error = await rejection(select({ off: false }));
    expect(error).toBeInstanceOf(SelectError);
    expect(error).toMatchObject({ errors: [], outcome: undefined });
  },
  '`signal` is cancelled': async () => {
    const stop = new CancellationToken();
    const log: string[] = [];
    const loser = cancelledThen(() => log.push('ended'));
    const outcome = select({ loser }, { signal: stop });
    stop.cancel('stop');
    expect(await rejection(outcome)).toBe('stop');
    expect(log).toEqual(['ended']);
  },
  'an argument cannot be a branch': async () => {
    const probe = new Probe(1);
    expect(await rejection(select({ probe, wrong: 5 as never }))).toBeInstanceOf(TypeError);
    expect(probe.values).toEqual([1]);
  },
};

test('the README has these rows, in this order', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const [, table = ''] = /## Outcomes\n[\s\S]*?\n(\|[\s\S]*?)\n\n/.exec(readme) ?? [];
  const names = table.split('\n').map((line) => line.split('|')[1]?.trim());
  expect(names.slice(2)).toEqual(Object.keys(rows));
});

describe('the outcome when', () => {
  test.each(Object.entries(rows))('%s', (_, check) => check());
});
