import { broadcast } from '@quiesce/broadcast-channel';
import { CancellationToken, ClosedError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { branchOf, interval, match, sleep, trySelect } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { cancelled, Probe } from './vocabulary.ts';

/** Returns the name of the branch; fails when none was ready. */
function winner<B>(next: { ok: true; branch: B } | { ok: false; why: string }): B {
  if (!next.ok) throw new Error(`expected a branch, got ${next.why}`);
  return next.branch;
}

describe('trySelect', () => {
  it('takes a ready branch, and no value of the others', () => {
    const [waits, ready, behind] = [new Probe<number>(), new Probe(1), new Probe(2)];
    expect(trySelect.biased({ waits, ready, behind })).toEqual({ ok: true, branch: 'ready', value: 1 });
    expect([ready.values, behind.values]).toEqual([[], [2]]);
    expect([waits, ready, behind].map(({ parks }) => parks)).toEqual([0, 0, 0]);
  });

  it('reports `pending` when no branch is ready, and does not take else then', () => {
    const waits = new Probe<number>();
    const called: number[] = [];
    expect(trySelect({ waits, other: new CancellationToken() })).toEqual({ ok: false, why: 'pending' });
    expect(trySelect({ waits, else: () => called.push(1) })).toEqual({ ok: false, why: 'pending' });
    expect([waits.polls, waits.parks, called]).toEqual([2, 0, []]);
  });

  it('takes tokens, signals, receivers and timers', () => {
    const clock = new VirtualClock();
    const [tx, rx] = broadcast<string>(4);
    tx.send('a');
    expect(trySelect({ token: cancelled(1) })).toEqual({ ok: true, branch: 'token', value: 1 });
    expect(trySelect({ signal: AbortSignal.abort(2) })).toEqual({ ok: true, branch: 'signal', value: 2 });
    expect(trySelect({ signal: new AbortController().signal })).toEqual({ ok: false, why: 'pending' });
    expect(trySelect({ rx })).toEqual({ ok: true, branch: 'rx', value: 'a' });
    expect(trySelect({ nap: sleep(1, { clock }) })).toEqual({ ok: false, why: 'pending' });
    expect(trySelect({ tick: interval(1, { clock }) })).toEqual({ ok: true, branch: 'tick', value: 0 });
  });

  it('takes else when every branch is off, and reports `off` without one', () => {
    expect(trySelect({ a: false, b: null, else: () => 'idle' })).toEqual({ ok: true, branch: 'else', value: 'idle' });
    expect(trySelect({ a: false })).toEqual({ ok: false, why: 'off' });
    expect(trySelect({})).toEqual({ ok: false, why: 'off' });
    const odd = match(new Probe(1), (n) => n === 2);
    expect(trySelect({ odd, off: undefined, else: () => 'odd' })).toEqual({ ok: true, branch: 'else', value: 'odd' });
    expect(trySelect({ odd: match(new Probe(1), (n) => n === 2), off: null })).toEqual({ ok: false, why: 'off' });
    expect(trySelect({ odd: match(new Probe(1), (n) => n === 2), on: new Probe<number>() })).toEqual({
      ok: false,
      why: 'pending',
    });
    expect(trySelect({ odd: match(new Probe(1), (n) => n === 2), on: new Probe<number>(), else: () => 1 })).toEqual({
      ok: false,
      why: 'pending',
    });
  });

  it('throws the error of a failed branch, which branchOf names', () => {
    const [tx, rx] = broadcast<string>(4);
    tx.close();
    let caught: unknown;
    try {
      trySelect({ rx });
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(ClosedError);
    expect(branchOf(caught)).toBe('rx');
  });

  it('starts at a random branch and continues cyclically; biased starts at the first', () => {
    const [a, b, c] = [cancelled('a'), cancelled('b'), new CancellationToken()];
    const wins = [0, 1, 2].map((start) => winner(trySelect({ a, b, c }, { random: () => start / 3 })));
    expect(wins).toEqual(['a', 'b', 'a']);
    const counts = { a: 0, b: 0, c: 0 };
    for (let i = 0; i < 1_000; i++) counts[winner(trySelect({ a, b, c }))]++;
    expect(Math.min(counts.a, counts.b)).toBeGreaterThan(200);
    for (let i = 0; i < 20; i++) expect(winner(trySelect.biased({ b, a }))).toBe('b');
  });

  it('counts branches that are off for a random start', () => {
    const ready = cancelled(1);
    const wins = [0, 1, 2].map((start) => trySelect({ off: null, b: ready, c: ready }, { random: () => start / 3 }));
    expect(wins.map(winner)).toEqual(['b', 'b', 'c']);
  });

  it.each([
    ['a promise', Promise.resolve(1)],
    ['a function', () => 1],
    ['a pattern of a promise', match(Promise.resolve(1))],
    ['a number', 5],
  ])('throws for %s before any branch is polled', (_, wrong) => {
    const probe = new Probe(1);
    expect(() => trySelect({ probe, wrong: wrong as never })).toThrow(TypeError);
    expect(() => trySelect({ probe, wrong: wrong as never })).toThrow('branch "wrong"');
    expect(probe.values).toEqual([1]);
  });

  it('throws for a value that is no object, for a numeric name, and for a wrong random function', () => {
    expect(() => trySelect(undefined as never)).toThrow(TypeError);
    expect(() => trySelect({ 1: cancelled(1) } as never)).toThrow('name "1" is a number');
    expect(() => trySelect({ a: cancelled(1) }, { random: () => 1 })).toThrow(RangeError);
  });
});
