import { broadcast } from '@quiesce/broadcast-channel';
import { CancellationToken, ClosedError } from '@quiesce/cancellation-token';
import { branchOf, match, SelectError, select, selectEach, settle, trySelect } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { cancelled, deferred, now, Probe, rejection, turn } from './vocabulary.ts';

const isEven = (n: number): boolean => n % 2 === 0;
const isWord = (value: unknown): value is string => typeof value === 'string';

describe('a pattern', () => {
  it('passes a value that fits, for every kind of branch', async () => {
    expect(await select({ a: match(new Probe(2), isEven) })).toEqual({ branch: 'a', value: 2 });
    expect(await select({ a: match(cancelled('word'), isWord) })).toEqual({ branch: 'a', value: 'word' });
    expect(await select({ a: match(AbortSignal.abort('word'), isWord) })).toEqual({ branch: 'a', value: 'word' });
    expect(await select({ a: match(Promise.resolve(4), isEven) })).toEqual({ branch: 'a', value: 4 });
    expect(await select({ a: match(async () => 6, isEven) })).toEqual({ branch: 'a', value: 6 });
    expect(await select({ a: match(() => 8, isEven) })).toEqual({ branch: 'a', value: 8 });
  });

  it('switches its branch off for this call when a value does not fit, which consumes the value', async () => {
    const probe = new Probe(1, 2);
    expect(await select({ probe: match(probe, isEven), else: () => 'none' })).toEqual({
      branch: 'else',
      value: 'none',
    });
    expect(probe.values).toEqual([2]);
    expect(await select({ probe: match(probe, isEven), else: () => 'none' })).toEqual({ branch: 'probe', value: 2 });
  });

  it('switches the branch off during the wait, too: it is neither polled nor parked on again', async () => {
    const [odd, other] = [new Probe<number>(), new Probe<number>()];
    const outcome = select({ odd: match(odd, isEven), other });
    odd.push(1);
    expect(await now(outcome)).toBe('pending');
    const { polls } = odd;
    odd.push(2);
    other.wake();
    expect([odd.values, odd.waiters.size, odd.polls]).toEqual([[2], 0, polls]);
    other.push(7);
    expect(await outcome).toEqual({ branch: 'other', value: 7 });
  });

  it.each([
    ['a promise', () => match(deferred<number>().promise, isEven)],
    ['a function', () => match(async () => turn().then(() => 1), isEven)],
  ])('that does not fit %s from an earlier select leaves the other branches pending', async (_, make) => {
    const rest = new Probe<number>();
    const outcome = select({ pattern: make(), rest });
    expect(await now(outcome)).toBe('pending');
    await turn();
    rest.push(3);
    expect(await outcome).toEqual({ branch: 'rest', value: 3 });
  });

  it('does not fit a closed source, without any guard', async () => {
    const [tx, rx] = broadcast<number>(4);
    tx.send(1);
    tx.close();
    expect(await select({ job: match(rx), else: () => 'closed' })).toEqual({ branch: 'job', value: 1 });
    expect(await select({ job: match(rx), else: () => 'closed' })).toEqual({ branch: 'else', value: 'closed' });
    expect(await rejection(select({ job: match(rx) }))).toBeInstanceOf(SelectError);
  });

  it('leaves the others pending when its source closes during the wait', async () => {
    const [tx, rx] = broadcast<number>(4);
    const token = new CancellationToken();
    const outcome = select({ job: match(rx), token });
    tx.close();
    expect(await now(outcome)).toBe('pending');
    token.cancel('late');
    expect(await outcome).toEqual({ branch: 'token', value: 'late' });
  });

  it('passes on any other failure', async () => {
    const error = new Error('disk');
    expect(await rejection(select({ disk: match(Promise.reject(error)) }))).toBe(error);
    expect(branchOf(error)).toBe('disk');
  });

  it('fails its branch when its guard throws, even with a ClosedError', async () => {
    for (const error of [new Error('guard'), new ClosedError('guard')]) {
      const guard = (): never => {
        throw error;
      };
      expect(await rejection(select({ a: match(new Probe(1), guard), else: () => 0 }))).toBe(error);
      expect(branchOf(error)).toBe('a');
      const probe = new Probe<number>();
      const outcome = select({ a: match(probe, guard) });
      probe.push(1);
      expect(await rejection(outcome)).toBe(error);
    }
  });

  it('removes a function for good when its value does not fit: it is not late, no error, and its token is disposed', async () => {
    let token: CancellationToken | undefined;
    const work = async (given: CancellationToken): Promise<number> => {
      token = given;
      return 1;
    };
    const rest = deferred<string>();
    const outcome = select({ work: match(work, isEven), rest: rest.promise });
    await turn();
    expect(token?.cancel()).toBe(false);
    rest.resolve('rest');
    expect(await outcome).toEqual({ branch: 'rest', value: 'rest' });
  });

  it('does not call its guard with the value of a loser', async () => {
    const asked: number[] = [];
    const work = async (token: CancellationToken): Promise<number> => token.cancelled().then(() => 1);
    const guard = (n: number): boolean => asked.push(n) > 0;
    const outcome = await select({ work: match(work, guard), tick: turn() });
    expect(outcome).toEqual({ branch: 'tick', value: undefined, late: [{ branch: 'work', value: 1 }] });
    expect(asked).toEqual([]);
  });

  it('returns false, null or undefined for a branch that is off', async () => {
    const on: boolean = Math.random() > 2;
    expect(match(on && new Probe(1), isEven)).toBe(false);
    expect([match(null), match(undefined)]).toEqual([null, undefined]);
  });

  it('can be created once for several calls', async () => {
    const probe = new Probe(1, 2, 3, 4);
    const even = match(probe, isEven);
    const taken: unknown[] = [];
    for (let i = 0; i < 4; i++) taken.push((await select({ even, else: () => '-' })).value);
    expect(taken).toEqual(['-', 2, '-', 4]);
  });
});

describe('several patterns', () => {
  it('let the first in order that fits win, and those that failed before it have lost their values', async () => {
    const [a, b, c] = [new Probe(1), new Probe(2), new Probe(4)];
    const outcome = await select.biased({ a: match(a, isEven), b: match(b, isEven), c: match(c, isEven) });
    expect(outcome).toEqual({ branch: 'b', value: 2 });
    expect([a.values, b.values, c.values]).toEqual([[], [], [4]]);
  });

  it('lead to else when all have failed and everything has ended, even if the last one fails much later', async () => {
    const [a, b] = [new Probe<number>(), new Probe<number>()];
    let called = 0;
    const outcome = select({ a: match(a, isEven), b: match(b, isEven), else: () => ++called });
    a.push(1);
    expect([await now(outcome), called]).toEqual(['pending', 0]);
    b.push(3);
    expect(await outcome).toEqual({ branch: 'else', value: 1 });
    expect([a.waiters.size, b.waiters.size]).toEqual([0, 0]);
  });

  it('lead to a SelectError when all have failed and there is no else', async () => {
    const error = await rejection(select({ a: match(async () => 1, isEven), b: match(new Probe(3), isEven) }));
    expect(error).toBeInstanceOf(SelectError);
    expect(error).toMatchObject({ errors: [], outcome: undefined });
  });
});

describe('match throws, at the call, for', () => {
  it.each([
    ['a value that is no branch', () => match(5 as never), 'the number 5'],
    ['a guard that is no function', () => match(new Probe(1), 'even' as never), 'guard must be a function'],
    ['a match in a match', () => match(match(new Probe(1)) as never), 'already'],
  ])('%s', (_, call, text) => {
    expect(call).toThrow(TypeError);
    expect(call).toThrow(text);
  });
});

describe('a match', () => {
  it('of another copy of this package is recognised', async () => {
    const foreign = { [Symbol.for('quiesce.match')]: { branch: new Probe(1, 2), guard: isEven } };
    const run = () => select({ foreign: foreign as never, else: () => 'off' });
    expect(await run()).toEqual({ branch: 'else', value: 'off' });
    expect(await run()).toEqual({ branch: 'foreign', value: 2 });
  });

  it('works on the result of settle, in every call that selects', async () => {
    const failed = (result: { status: string }): boolean => result.status === 'rejected';
    const probe = new Probe('fine', 'fine');
    expect(trySelect({ a: match(settle(probe), failed), else: () => 'all fine' })).toMatchObject({ branch: 'else' });
    expect(await select({ a: match(settle(Promise.reject(1)), failed) })).toMatchObject({
      value: { status: 'rejected', reason: 1 },
    });
    const outcomes: unknown[] = [];
    for await (const { branch } of selectEach({ a: match(settle(probe), failed), else: () => 0 })) {
      outcomes.push(branch);
      if (probe.values.length === 0) break;
    }
    expect(outcomes).toEqual(['else']);
  });
});
