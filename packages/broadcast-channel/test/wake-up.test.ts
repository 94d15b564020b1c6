// Receives, sends and closes that begin inside a wake-up.
import { broadcast } from '@quiesce/broadcast-channel';
import { PENDING } from '@quiesce/cancellation-token';
import { match, select } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { now, park, runEventLoop } from './vocabulary.ts';

describe('a receive that begins inside a wake-up of its receiver', () => {
  it('gets the value that the woken waiter leaves', async () => {
    const [tx, rx] = broadcast<number>(4);
    let late: Promise<number> | undefined;
    park(rx, () => {
      late = rx.recv();
    });
    tx.send(1);
    expect(late && (await now(late))).toBe(1);
    expect(rx.length).toBe(0);
  });

  it('ends when the wake-up closed the channel or disposed the receiver', async () => {
    for (const end of ['tx', 'rx'] as const) {
      const [tx, rx] = broadcast<number>(4);
      const late: Promise<unknown>[] = [];
      park(rx, () => {
        late.push(rx.recv(), rx.values().next());
      });
      if (end === 'tx') tx.close();
      else rx.dispose();
      expect(await Promise.all(late.map(now))).toMatchObject([{ error: { code: 'ERR_CLOSED' } }, { done: true }]);
    }
  });

  it('gets the value when the waiter before it was woken, took nothing, and parked again', async () => {
    const [tx, rx] = broadcast<number>(4);
    let woken = 0;
    const waiter = park(rx, (protocol) => {
      woken++;
      protocol.park(waiter);
    });
    tx.send(1);
    expect(woken).toBe(1);
    expect(await now(rx.recv())).toBe(1);
    expect(await now(rx.recv())).toBe('pending');
    tx.close();
    expect(await now(rx.recv())).toMatchObject({ error: { code: 'ERR_CLOSED' } });
  });
});

describe('a send inside a wake-up', () => {
  it('does not nest deeper with each of 5,000 receivers whose signals send', async () => {
    const tx = broadcast.sender<number>(2 ** 13);
    const count = 5000;
    const outcomes = Array.from({ length: count }, () => {
      const guard = (): boolean => tx.send(1) > 0;
      return select({ a: match(tx.subscribe(), guard) });
    });
    expect(tx.send(0)).toBe(count);
    const values = (await Promise.all(outcomes)).map(({ value }) => value);
    expect(values).toEqual(new Array(count).fill(0));
  });

  it('has woken every receiver when the outermost send returns', () => {
    const [tx, first] = broadcast<number>(8);
    const second = tx.subscribe();
    const polled: unknown[] = [];
    park(first, () => tx.send(2));
    park(second, (protocol) => {
      polled.push(protocol.poll(), protocol.poll(), protocol.poll());
    });
    tx.send(1);
    expect(polled).toEqual([1, 2, PENDING]);
  });
});

it('an iterator that is left among thousands ends its own receives, and no others', async () => {
  const [tx, rx] = broadcast<number>(4);
  const iterators = Array.from({ length: 2000 }, () => rx.values());
  const waiting = iterators.map((values) => values.next());
  for (const values of iterators.slice(0, -1)) await values.return?.();
  expect(await Promise.all(waiting.slice(0, -1).map(now))).toEqual(
    new Array(1999).fill({ done: true, value: undefined }),
  );
  tx.send(1);
  expect(await waiting.at(-1)).toEqual({ done: false, value: 1 });
  await runEventLoop();
  expect(rx.isEmpty).toBe(true);
});
