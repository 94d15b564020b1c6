import { broadcast } from '@quiesce/broadcast-channel';
import { CancellationToken, PENDING, type Source, source } from '@quiesce/cancellation-token';
import { untilCancelled } from '@quiesce/cancellation-token/internal';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { branchOf, interval, match, repeat, selectEach, settle, sleep } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { cancelled, deferred, Probe, rejection, turn } from './vocabulary.ts';

/** The outcomes of a loop, until it ends or there are this many. */
async function collect<T>(outcomes: AsyncIterable<T>, most = 100): Promise<T[]> {
  const all: T[] = [];
  for await (const outcome of outcomes) {
    all.push(outcome);
    if (all.length === most) break;
  }
  return all;
}

const pairs = (outcomes: readonly { branch: string; value: unknown }[]) =>
  outcomes.map(({ branch, value }) => [branch, value]);

describe('a one-shot branch', () => {
  it('is off once it has won, and the loop ends when none is left', async () => {
    const clock = new VirtualClock();
    const outcomes = await clock.run(() =>
      collect(
        selectEach.biased({
          token: cancelled('token'),
          signal: AbortSignal.abort('signal'),
          nap: sleep(5, { clock }),
          promise: Promise.resolve('promise'),
          work: async () => 'function',
          plain: () => 'plain',
          off: false,
        }),
      ),
    );
    expect(pairs(outcomes)).toEqual([
      ['token', 'token'],
      ['signal', 'signal'],
      ['promise', 'promise'],
      ['work', 'function'],
      ['plain', 'plain'],
      ['nap', undefined],
    ]);
  });

  it('that fails ends the loop by throwing its error, verbatim', async () => {
    const error = new Error('disk');
    const { promise, reject } = deferred();
    const loop = collect(selectEach({ a: cancelled(1), disk: promise }));
    reject(error);
    expect(await rejection(loop)).toBe(error);
    expect(branchOf(error)).toBe('disk');
  });

  it('is also off when it was known to be settled', async () => {
    const promise = Promise.resolve(1);
    await collect(selectEach({ ready: cancelled(0), promise }));
    expect(pairs(await collect(selectEach({ promise })))).toEqual([['promise', 1]]);
  });
});

describe('a stream', () => {
  it('stays on until it is closed and drained, and the end gives no outcome', async () => {
    const [tx, rx] = broadcast<number>(8);
    for (const n of [1, 2, 3]) tx.send(n);
    tx.close();
    expect(pairs(await collect(selectEach({ rx })))).toEqual([1, 2, 3].map((n) => ['rx', n]));
  });

  it('that closes during the wait ends the loop, or leaves the others on', async () => {
    const [tx, rx] = broadcast<number>(8);
    const token = new CancellationToken();
    const ended = collect(selectEach({ rx }));
    const goesOn = collect(selectEach({ rx: rx.resubscribe(), token }));
    await turn();
    tx.close();
    expect(await ended).toEqual([]);
    token.cancel('last');
    expect(pairs(await goesOn)).toEqual([['token', 'last']]);
  });

  it('that fails otherwise ends the loop, such as a lagging receiver', async () => {
    const [tx, rx] = broadcast<number>(1);
    for (const n of [1, 2, 3]) tx.send(n);
    expect(await rejection(collect(selectEach({ rx })))).toMatchObject({ missedCount: 2 });
    expect(rx.tryRecv()).toEqual({ ok: true, value: 3 });
  });

  it('in settle gives its end once', async () => {
    const [tx, rx] = broadcast<number>(4);
    tx.send(1);
    tx.close();
    const outcomes = await collect(selectEach({ rx: settle(rx) }));
    expect(outcomes.map(({ value }) => value.status)).toEqual(['fulfilled', 'rejected']);
  });

  it('in untilCancelled gives its cancellation once', async () => {
    const stop = new CancellationToken();
    const [tx, rx] = broadcast<number>(4);
    for (const n of [1, 2]) tx.send(n);
    const seen: unknown[] = [];
    for await (const { value } of selectEach({ rx: untilCancelled(stop, rx) })) {
      seen.push(value);
      if (seen.length === 2) stop.cancel('stop');
    }
    expect(seen).toEqual([
      { status: 'fulfilled', value: 1 },
      { status: 'fulfilled', value: 2 },
      { status: 'cancelled', reason: 'stop' },
    ]);
  });

  it('in untilCancelled gives a one-shot value once', async () => {
    const work: Source<number> = { [source]: { once: true, poll: () => 1, park: () => {}, unpark: () => {} } };
    const outcomes = await collect(selectEach({ work: untilCancelled(new CancellationToken(), work) }), 5);
    expect(outcomes.map(({ value }) => value)).toEqual([{ status: 'fulfilled', value: 1 }]);
  });

  it('is not closed by the loop: the caller still owns it', async () => {
    const [tx, rx] = broadcast<number>(4);
    tx.send(1);
    expect(await collect(selectEach({ rx }), 1)).toHaveLength(1);
    tx.send(2);
    expect(rx.tryRecv()).toEqual({ ok: true, value: 2 });
  });
});

describe('registrations', () => {
  it('are kept from round to round: each source is parked on once', async () => {
    const [idle, busy] = [new Probe<number>(), new Probe<number>()];
    const loop = selectEach({ idle, busy });
    for (let n = 0; n < 10; n++) {
      const next = loop.next();
      busy.push(n);
      expect(await next).toMatchObject({ value: { branch: 'busy', value: n } });
    }
    expect(idle.parks).toBeLessThanOrEqual(10);
    expect(idle.waiters.size).toBe(1);
    await loop.return();
    expect([idle.waiters.size, busy.waiters.size]).toEqual([0, 0]);
  });

  it('take no value between two rounds', async () => {
    const probe = new Probe<number>();
    const loop = selectEach({ probe });
    const next = loop.next();
    probe.push(1);
    await next;
    probe.push(2);
    probe.push(3);
    expect(probe.values).toEqual([2, 3]);
    expect(await loop.next()).toMatchObject({ value: { value: 2 } });
    await loop.return();
    expect(probe.values).toEqual([3]);
  });

  it('of a receiver do not keep values from other waiters between two rounds', async () => {
    const [tx, rx] = broadcast<number>(8);
    const loop = selectEach({ rx });
    const first = loop.next();
    tx.send(1);
    await first;
    const other = rx.recv();
    tx.send(2);
    expect(await other).toBe(2);
    await loop.return();
  });
});

describe('a function', () => {
  it('starts when no branch is ready, and keeps running while other branches win', async () => {
    const probe = new Probe('a');
    const done = deferred<string>();
    let starts = 0;
    const work = (): Promise<string> => {
      starts++;
      return done.promise;
    };
    const loop = selectEach.biased({ probe, work });
    expect(await loop.next()).toMatchObject({ value: { branch: 'probe', value: 'a' } });
    expect(starts).toBe(0);
    for (const letter of ['b', 'c']) {
      const next = loop.next();
      expect(starts).toBe(1);
      probe.push(letter);
      expect(await next).toMatchObject({ value: { branch: 'probe', value: letter } });
    }
    done.resolve('done');
    expect(await loop.next()).toMatchObject({ value: { branch: 'work', value: 'done' } });
    expect(starts).toBe(1);
    await loop.return();
  });

  it('starts in the second round at the latest, beside a stream that is always ready', async () => {
    let started = false;
    const work = (): boolean => (started = true);
    const always = { [source]: { poll: () => 1, park: () => {}, unpark: () => {} } };
    const loop = selectEach.biased({ always, work });
    await loop.next();
    expect(started).toBe(false);
    await loop.next();
    expect(started).toBe(true);
    await loop.return();
  });

  it('in repeat starts again each time it has won, with a new token', async () => {
    const tokens = new Set<CancellationToken>();
    const poll = repeat(async (token: CancellationToken) => tokens.add(token).size);
    expect(pairs(await collect(selectEach({ poll }), 3))).toEqual([
      ['poll', 1],
      ['poll', 2],
      ['poll', 3],
    ]);
    expect([...tokens].filter(({ isCancelled }) => isCancelled)).toEqual([]);
  });

  it('can have a pattern, with and without repeat', async () => {
    let count = 0;
    const counted = repeat(async () => ++count);
    const even = match(counted, (n) => n % 2 === 0);
    expect(pairs(await collect(selectEach({ even }), 2))).toEqual([
      ['even', 2],
      ['even', 4],
    ]);
    expect(
      await collect(
        selectEach({
          once: match(
            async () => 1,
            (n) => n === 2,
          ),
        }),
      ),
    ).toEqual([]);
  });

  it('that wins has its token disposed, and not cancelled', async () => {
    const outer = new CancellationToken();
    let token: CancellationToken | undefined;
    const work = async (given: CancellationToken): Promise<void> => {
      token = given;
    };
    await collect(selectEach({ work }, { signal: outer }));
    outer.cancel();
    expect([token?.isCancelled, token?.cancel()]).toEqual([false, false]);
  });
});

describe('a pattern that does not fit', () => {
  it('switches a stream off for the round, and else is given when none has fitted', async () => {
    const [a, b] = [new Probe(1, 2, 3), new Probe(5, 7)];
    const even = (n: number): boolean => n % 2 === 0;
    const outcomes = await collect(selectEach.biased({ a: match(a, even), b: match(b, even), else: () => 'odd' }), 2);
    expect(pairs(outcomes)).toEqual([
      ['else', 'odd'],
      ['a', 2],
    ]);
    expect([a.values, b.values]).toEqual([[3], [7]]);
  });

  it('without an else leads to the next round, and does not starve the event loop', async () => {
    let polls = 0;
    let hasTurned = false;
    setImmediate(() => {
      hasTurned = true;
    });
    const never: Source<number> = {
      [source]: { poll: () => (hasTurned ? PENDING : ++polls), park: () => {}, unpark: () => {} },
    };
    const outcomes = selectEach({ never: match(never, () => false), tick: deferred().promise });
    const next = outcomes.next();
    await turn();
    await turn();
    expect([hasTurned, polls]).toEqual([true, 1]);
    await outcomes.return();
    expect(await next).toMatchObject({ done: true });

    const alone = selectEach({ never: match(never, () => false) });
    hasTurned = false;
    setImmediate(() => {
      hasTurned = true;
    });
    const last = alone.next();
    await turn();
    await turn();
    expect(polls).toBeGreaterThan(500);
    await alone.return();
    expect(await last).toMatchObject({ done: true });
  });

  it('switches a one-shot branch off for good, so that nothing spins', async () => {
    const no = (): boolean => false;
    const all = { promise: match(Promise.resolve(1), no), token: match(cancelled(1), no), work: match(() => 1, no) };
    expect(await collect(selectEach(all))).toEqual([]);
  });

  it('switches a stream off for good when it is closed', async () => {
    const [tx, rx] = broadcast<number>(4);
    tx.send(1);
    tx.close();
    expect(pairs(await collect(selectEach({ rx: match(rx), else: () => 'never' })))).toEqual([['rx', 1]]);
  });
});

describe('a loop', () => {
  it('ends at once, without else, when all branches are off', async () => {
    expect(await collect(selectEach({}))).toEqual([]);
    expect(await collect(selectEach({ a: false, else: () => 1 }))).toEqual([]);
    expect(await collect(selectEach({ a: null }, { random: () => 0.5 }))).toEqual([]);
  });

  it('starts at a random branch in each round, or at the first', async () => {
    const [a, b] = [new Probe(1, 2), new Probe(3, 4)];
    const starts = [0, 0.5, 0, 0.5];
    const outcomes = await collect(selectEach({ a, b }, { random: () => starts.shift() ?? 0 }), 4);
    expect(outcomes.map(({ branch }) => branch)).toEqual(['a', 'b', 'a', 'b']);
    const [c, d] = [new Probe(1, 2), new Probe(3, 4)];
    const biased = await collect(selectEach.biased({ c, d }), 4);
    expect(biased.map(({ branch }) => branch)).toEqual(['c', 'c', 'd', 'd']);
  });

  it('is fair by default: two streams that are always ready both win', async () => {
    const always = (): Source<number> => ({ [source]: { poll: () => 1, park: () => {}, unpark: () => {} } });
    const outcomes = await collect(selectEach({ a: always(), b: always() }), 1_000);
    const wins = outcomes.filter(({ branch }) => branch === 'a').length;
    // Fewer than 350 of 1,000 at even odds: nine standard deviations.
    expect(Math.min(wins, 1_000 - wins)).toBeGreaterThan(350);
  });

  it('over an interval ticks immediately, and then once every period', async () => {
    const clock = new VirtualClock();
    const seen = await clock.run(async () => {
      const times: number[] = [];
      for await (const _ of selectEach({ tick: interval(10, { clock }) })) {
        times.push(clock.now());
        if (times.length === 4) break;
      }
      return times;
    });
    expect(seen).toEqual([0, 10, 20, 30]);
    expect(clock.pendingCount).toBe(0);
  });

  it('throws for wrong arguments at the call, and not later', () => {
    const probe = new Probe(1);
    expect(() => selectEach({ probe, wrong: 5 as never })).toThrow('branch "wrong" is the number 5');
    expect(() => selectEach(undefined as never)).toThrow(TypeError);
    expect(() => selectEach({ 7: probe } as never)).toThrow('name "7" is a number');
    expect(() => selectEach({ probe }, { signal: 5 as never })).toThrow(TypeError);
    expect(() => selectEach({ probe }, { cleanupTimeout: -1 })).toThrow(RangeError);
    expect(() => selectEach({ probe, else: 5 } as never)).toThrow('else must be a function');
    expect(probe.polls).toBe(0);
  });

  it('ends with the error of its random function', async () => {
    expect(await rejection(collect(selectEach({ a: new Probe(1) }, { random: () => 2 })))).toBeInstanceOf(RangeError);
  });

  it('lets the event loop run at least once in 1,024 rounds', async () => {
    const always: Source<number> = { [source]: { poll: () => 1, park: () => {}, unpark: () => {} } };
    let isTurned = false;
    setImmediate(() => {
      isTurned = true;
    });
    let turns = 0;
    for await (const _ of selectEach({ always })) {
      if (isTurned || turns > 5_000) break;
      turns++;
    }
    expect(turns).toBeLessThanOrEqual(1_024);
  });
});
