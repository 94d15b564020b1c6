// Counterparts of Tokio's tests of select!. tests.json maps each test.
import { CancellationToken, type Source, source } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { oneshot, unboundedChannel } from '@quiesce/channel';
import { match, select, selectEach, sleep } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { turn } from './vocabulary.ts';

const never = CancellationToken.never;

describe('a select', () => {
  it('returns the value of its only branch, of any kind', async () => {
    const [tx, rx] = oneshot<number>();
    tx.send(1);
    const promise = Promise.resolve(1);
    const token = new CancellationToken();
    token.cancel(1);
    for (const branch of [promise, async () => 1, rx, token, token.signal]) {
      expect(await select({ one: branch })).toEqual({ branch: 'one', value: 1 });
    }
  });

  it('can be awaited inside another one like any value', async () => {
    const inner = async (): Promise<number> => {
      const { value } = await select({ y: Promise.resolve(2) });
      return value;
    };
    expect((await select({ x: inner })).value + 1).toBe(3);
  });

  it('takes a lone else, biased or not', async () => {
    expect(await select({ else: () => 1 })).toEqual({ branch: 'else', value: 1 });
    expect(await select.biased({ else: () => 1 })).toEqual({ branch: 'else', value: 1 });
  });

  it('polls one branch when the first polled one is ready', async () => {
    let polls = 0;
    const ready = (value: number): Source<number> => ({
      [source]: {
        poll: () => {
          polls++;
          return value;
        },
        park: () => expect.unreachable(),
        unpark: () => {},
      },
    });
    const { value } = await select({ one: ready(1), two: ready(2) });
    expect([value === 1 || value === 2, polls]).toEqual([true, 1]);
  });

  it('takes the ready branch', async () => {
    const [[tx, ready], [, other]] = [oneshot<number>(), oneshot<number>()];
    tx.send(1);
    expect(await select({ other, ready })).toEqual({ branch: 'ready', value: 1 });
  });

  it('leaves losing branches unchanged, to be awaited later', async () => {
    const [[first, one], [second, two]] = [oneshot<number>(), oneshot<number>()];
    first.send(1);
    second.send(2);
    const { branch } = await select({ one, two });
    expect([branch === 'one' || branch === 'two', await one, await two]).toEqual([true, 1, 2]);
  });

  it('takes values from several channels in a loop, until all are closed', async () => {
    const [[tx1, rx1], [tx2, rx2]] = [unboundedChannel<number>(), unboundedChannel<number>()];
    void (async () => {
      tx2.send(1);
      await turn();
      tx1.send(2);
      await turn();
      tx2.send(3);
      tx1.close();
      tx2.close();
    })();
    const values: number[] = [];
    for (;;) {
      const outcome = await select({ one: match(rx1), two: match(rx2), else: () => undefined });
      if (outcome.branch === 'else') break;
      values.push(outcome.value);
    }
    expect(values).toEqual([1, 2, 3]);
  });

  it('collects both of two values, and switches each branch off when it has won', async () => {
    const [[first, one], [second, two]] = [oneshot<number>(), oneshot<number>()];
    const got: Record<string, number> = {};
    const all = (async () => {
      while (Object.keys(got).length < 2) {
        const { branch, value } = await select({ one: !('one' in got) && one, two: !('two' in got) && two });
        got[branch] = value as number;
      }
    })();
    await turn();
    first.send(123);
    await turn();
    expect(got).toEqual({ one: 123 });
    second.send(456);
    await all;
    expect(got).toEqual({ one: 123, two: 456 });
  });

  it('does not poll a branch again whose value did not match', async () => {
    const [tx, rx] = oneshot<number>();
    let polls = 0;
    const outcome = select({
      misfit: match(
        async () => {
          polls++;
          return 'no';
        },
        () => false,
      ),
      rx,
    });
    await turn();
    tx.send(1);
    expect([await outcome, polls]).toEqual([{ branch: 'rx', value: 1 }, 1]);
  });

  it('neither starts nor polls a branch that is off', async () => {
    const clock = new VirtualClock();
    const off = (isOn: boolean) => isOn && ((): never => expect.unreachable());
    for (const run of [select, select.biased]) {
      const outcome = await run({
        off: off(false),
        later: (false as boolean) && sleep(10, { clock }),
        one: async () => 1,
      });
      expect(outcome).toEqual({ branch: 'one', value: 1 });
    }
    expect(clock.pendingCount).toBe(0);
  });

  it('may change the data of a losing branch after that has ended', async () => {
    let value = 234;
    const uses = async (token: CancellationToken): Promise<void> => {
      await token.cancelled();
      value *= 2;
    };
    const { branch } = await select({ uses, other: Promise.resolve() });
    if (branch === 'other') value += 5;
    expect(value).toBe(473);
  });

  it('releases the resources of its function before it continues', async () => {
    const log: string[] = [];
    class Held {
      [Symbol.dispose](): void {
        log.push('released');
      }
    }
    const work = async (): Promise<number> => {
      using _ = new Held();
      return 1;
    };
    expect((await select({ work })).value).toBe(1);
    expect(log).toEqual(['released']);
  });

  it('supports any number of branches', async () => {
    const branches = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`b${i}`, async () => 1]));
    expect((await select(branches)).value).toBe(1);
  });

  it('may have a branch that never ends', async () => {
    expect((await select({ never, one: async () => 1 })).value).toBe(1);
  });

  it('passes the value on unchanged, and mutable', async () => {
    const given = { text: '1' };
    const { value } = await select({ given: match(Promise.resolve(given), ({ text }) => text === '1') });
    value.text = '2';
    expect(given.text).toBe('2');
  });

  it('accepts thenables, sources and signals as branches', async () => {
    // biome-ignore lint/suspicious/noThenProperty: a thenable has this property
    const thenable: PromiseLike<number> = { then: (resolve) => Promise.resolve(resolve?.(1) as never) };
    expect((await select({ thenable })).value).toBe(1);
  });

  it('chooses the same branches for the same random numbers', async () => {
    const run = async (): Promise<string[]> => {
      let seed = 7;
      const random = (): number => {
        seed = (seed * 48_271) % (2 ** 31 - 1);
        return seed / 2 ** 31;
      };
      const names: string[] = [];
      for (let i = 0; i < 50; i++) {
        const ready = CancellationToken.alreadyCancelled(1);
        names.push((await select({ a: ready, b: ready, c: ready, d: ready }, { random })).branch);
      }
      return names;
    };
    const [one, two] = [await run(), await run()];
    expect(one).toEqual(two);
    expect(new Set(one).size).toBeGreaterThan(1);
  });

  it('lets the event loop run in a loop whose branches are always ready', async () => {
    const ready = CancellationToken.alreadyCancelled(1);
    let isOver = false;
    setImmediate(() => {
      isOver = true;
    });
    let rounds = 0;
    for (; !isOver; rounds++) await select({ ready });
    expect(rounds).toBeGreaterThan(0);
  });
});

describe('a biased select', () => {
  it('takes the first ready branch in the order in which they are written', async () => {
    const [[, idle], [second, two], [third, three]] = [oneshot<number>(), oneshot<number>(), oneshot<number>()];
    second.send(2);
    third.send(3);
    expect(await select.biased({ idle, two, three })).toEqual({ branch: 'two', value: 2 });
  });

  it('reaches branches that become ready later, in order', async () => {
    const order: string[] = [];
    const later = async (): Promise<void> => await turn();
    const [two, three] = [later(), later()];
    for await (const { branch } of selectEach.biased({ two, three, one: Promise.resolve() })) order.push(branch);
    expect(order).toEqual(['one', 'two', 'three']);
  });
});
