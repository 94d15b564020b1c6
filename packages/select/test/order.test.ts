import { CancellationToken } from '@quiesce/cancellation-token';
import { select } from '@quiesce/select';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { cancelled, Probe, turn } from './vocabulary.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

/** A random function whose start index is 0, 1, … count - 1, and again. */
function inTurn(count: number): () => number {
  let calls = 0;
  return () => (calls++ % count) / count;
}

/** How often each branch won. */
async function wins(times: number, run: () => Promise<{ branch: string }>): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < times; i++) {
    const { branch } = await run();
    counts[branch] = (counts[branch] ?? 0) + 1;
  }
  return counts;
}

describe('select.biased', () => {
  it('takes the first ready branch in order of declaration', async () => {
    const [first, second] = [cancelled(1), cancelled(2)];
    const waits = new CancellationToken();
    expect(await select.biased({ waits, first, second })).toEqual({ branch: 'first', value: 1 });
    expect(await select.biased({ second, waits, first })).toEqual({ branch: 'second', value: 2 });
  });

  it('calls no random function', async () => {
    const random = vi.spyOn(Math, 'random');
    const probe = new Probe<number>();
    const outcome = select.biased({ probe, other: new CancellationToken() });
    probe.push(1);
    expect(await outcome).toEqual({ branch: 'probe', value: 1 });
    expect(random).not.toHaveBeenCalled();
  });

  it('starves the branches after a branch that is always ready', async () => {
    const [a, b] = [cancelled('a'), cancelled('b')];
    expect(await wins(100, () => select.biased({ a, b }))).toEqual({ a: 100 });
  });
});

describe('select', () => {
  const ready = cancelled('ready');
  const waits = new CancellationToken();

  it('starts at each branch with the same probability, and continues cyclically', async () => {
    const random = inTurn(3);
    // As in Tokio: with 0 and 1 of three ready, a start at 2 leads to 0.
    expect(await wins(300, () => select({ a: ready, b: ready, c: waits }, { random }))).toEqual({ a: 200, b: 100 });
    expect(await wins(300, () => select({ a: waits, b: ready, c: ready }, { random }))).toEqual({ b: 200, c: 100 });
    expect(await wins(300, () => select({ a: ready, b: ready, c: ready }, { random }))).toEqual({
      a: 100,
      b: 100,
      c: 100,
    });
  });

  it('counts branches that are off, as Tokio does', async () => {
    const random = inTurn(3);
    expect(await wins(300, () => select({ a: ready, off: false, c: ready }, { random }))).toEqual({ a: 100, c: 200 });
    expect(await wins(300, () => select({ off: null, b: ready, c: ready }, { random }))).toEqual({ b: 200, c: 100 });
  });

  it('counts them at a wake-up as well', async () => {
    for (const [start, branch] of [
      [0, 'b'],
      [1, 'b'],
      [2, 'c'],
    ] as const) {
      const [b, c] = [new Probe<number>(), new Probe<number>()];
      const outcome = select({ off: false, b, c }, { random: () => start / 3 });
      b.values.push(1);
      c.push(1);
      expect(await outcome).toEqual({ branch, value: 1 });
    }
  });

  it('does not count else', async () => {
    const random = inTurn(2);
    const run = () => select({ else: () => 0, a: ready, b: ready }, { random });
    expect(await wins(100, run)).toEqual({ a: 50, b: 50 });
  });

  it('calls Math.random by default', async () => {
    const random = vi.spyOn(Math, 'random');
    random.mockReturnValue(0.999);
    expect(await wins(10, () => select({ a: ready, b: ready }))).toEqual({ b: 10 });
    random.mockReturnValue(0);
    expect(await wins(10, () => select({ a: ready, b: ready }))).toEqual({ a: 10 });
  });

  it('is fair by default: each of three ready branches wins in a thousand tries', async () => {
    const counts = await wins(1_000, () => select({ a: ready, b: ready, c: ready }));
    // Fewer than 200 of 1,000 at a probability of a third: nine standard deviations.
    for (const name of ['a', 'b', 'c']) expect(counts[name]).toBeGreaterThan(200);
  });

  it('chooses a new start at each wake-up', async () => {
    const starts = [0, 0.5, 0.5, 0];
    const probes = [new Probe<string>(), new Probe<string>()] as const;
    const outcome = select({ a: probes[0], b: probes[1] }, { random: () => starts.shift() ?? 0 });
    probes[0].wake();
    await turn();
    expect(starts).toEqual([0]);
    // Before and after parking, and the same at the wake-up.
    expect(probes.map(({ polls }) => polls)).toEqual([4, 4]);
    probes[1].push('b');
    expect(await outcome).toEqual({ branch: 'b', value: 'b' });
  });
});

describe('a ready source', () => {
  it('wins before any function is started, wherever it is declared', async () => {
    let started = 0;
    const work = (): number => started++;
    for (let i = 0; i < 50; i++) await select({ before: work, ready: cancelled(1), behind: work });
    await select.biased({ work, ready: cancelled(1) });
    expect(started).toBe(0);
  });

  it('wins without registering anything', async () => {
    const [before, behind] = [new Probe<number>(), new Probe<number>()];
    await select.biased({ before, ready: cancelled(1), behind });
    expect([before.polls, behind.polls]).toEqual([1, 0]);
    expect([before.parks, behind.parks]).toEqual([0, 0]);
  });

  it('wins inside the call', () => {
    const probe = new Probe(1);
    void select({ probe });
    expect(probe.values).toEqual([]);
  });

  it('wins over a promise that has settled and was not polled before', async () => {
    const outcome = await select.biased({ promise: Promise.resolve(1), ready: cancelled(2) });
    expect(outcome).toEqual({ branch: 'ready', value: 2 });
  });
});

describe('when several branches become ready in one step,', () => {
  it('the first in order wins, even if another was woken first', async () => {
    const token = new CancellationToken();
    const children = [token.childToken(), token.childToken()] as const;
    // The first observed token is woken first.
    children[1].onCancelled(() => {});
    const outcome = select.biased({ a: children[0], b: children[1] });
    token.cancel('both');
    expect(await outcome).toEqual({ branch: 'a', value: 'both' });
  });

  it('only the winner is consumed, and no branch is polled after it', async () => {
    const [first, second, third] = [new Probe<string>(), new Probe<string>(), new Probe<string>()];
    const outcome = select.biased({ first, second, third });
    second.values.push('second');
    third.push('third');
    expect(await outcome).toEqual({ branch: 'second', value: 'second' });
    expect(third.values).toEqual(['third']);
    expect([first.polls, second.polls, third.polls]).toEqual([3, 3, 2]);
    expect([first, second, third].map(({ waiters }) => waiters.size)).toEqual([0, 0, 0]);
  });
});
