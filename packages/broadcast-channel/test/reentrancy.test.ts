// Code that runs inside `send` and `close`, when a waiter is woken: the channel is already in order.
import { broadcast } from '@quiesce/broadcast-channel';
import { CancellationToken, PENDING, setUncaughtHandler, source } from '@quiesce/cancellation-token';
import { select } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { expectClosed, expectEmpty, expectLagged, expectValues, now, park, runEventLoop, sent } from './vocabulary.ts';

describe('inside a wake', () => {
  it('a send reaches every receiver, in order, before the outer send has woken all of them', async () => {
    const [tx, first] = broadcast<string>(8);
    const second = tx.subscribe();
    const polled: unknown[] = [];
    park(first, (protocol) => {
      polled.push(protocol.poll());
      tx.send('inner');
    });
    const waiting = [second.recv(), second.recv()];
    expect(tx.send('outer')).toBe(2);
    expect(polled).toEqual(['outer']);
    expectValues(first, 'inner');
    expect(await Promise.all(waiting)).toEqual(['outer', 'inner']);
    expectEmpty(second);
  });

  it('a send serves the receives that wait later in the queue of the same receiver', async () => {
    const [tx, rx] = broadcast<number>(8);
    park(rx, (protocol) => {
      expect(protocol.poll()).toBe(1);
      tx.send(2);
      tx.send(3);
    });
    const waiting = [rx.recv(), rx.recv(), rx.recv()];
    tx.send(1);
    tx.send(4);
    expect(await Promise.all(waiting)).toEqual([2, 3, 4]);
  });

  it('a waiter that parks again waits for the next send', () => {
    const [tx, rx] = broadcast<number>(8);
    const polled: unknown[] = [];
    const waiter = park(rx, (protocol) => {
      polled.push(protocol.poll());
      expect(protocol.poll()).toBe(PENDING);
      protocol.park(waiter);
    });
    for (const n of [1, 2, 3]) tx.send(n);
    expect(polled).toEqual([1, 2, 3]);
  });

  it('a waiter that parks again without a poll waits for the next send too, and delays no other waiter', () => {
    const [tx, rx] = broadcast<number>(8);
    const other = tx.subscribe();
    let woken = 0;
    const waiter = park(rx, (protocol) => {
      woken++;
      protocol.park(waiter);
    });
    park(other, () => {
      woken += 10;
    });
    tx.send(1);
    expect(woken).toBe(11);
    tx.send(2);
    expect(woken).toBe(12);
    expectValues(rx, 1, 2);
  });

  it('a wake-up that its waiter does not use goes to the next in the queue', async () => {
    const [tx, rx] = broadcast<number>(8);
    let woken = 0;
    park(rx, () => {
      woken++;
    });
    const later = rx.recv();
    tx.send(1);
    expect(woken).toBe(1);
    expect(await later).toBe(1);
  });

  it('a value that no waiter uses stays for the next receive', () => {
    const [tx, rx] = broadcast<number>(8);
    park(rx, () => {});
    tx.send(1);
    expectValues(rx, 1);
  });

  it('the receiver can be disposed, and its other waiters end too', async () => {
    const [tx, rx] = broadcast<number>(8);
    park(rx, () => rx.dispose());
    const later = rx.recv();
    const other = tx.subscribe();
    tx.send(1);
    await expect(later).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    expectValues(other, 1);
    expect(tx.receiverCount).toBe(1);
  });

  it('another receiver that is about to be woken can be disposed', async () => {
    const [tx, first] = broadcast<number>(8);
    const second = tx.subscribe();
    const third = tx.subscribe();
    park(first, () => second.dispose());
    const waiting = [second.recv({ signal: new CancellationToken() }), third.recv()];
    tx.send(1);
    const results = await Promise.allSettled(waiting);
    expect(results).toMatchObject([{ reason: { code: 'ERR_CLOSED' } }, { value: 1 }]);
    expectValues(first, 1);
  });

  it('the channel can be closed: waiting receives get the value, then the end', async () => {
    const [tx, first] = broadcast<number>(8);
    const second = tx.subscribe();
    park(first, () => tx.close());
    const waiting = [second.recv(), second.recv()];
    tx.send(1);
    const results = await Promise.allSettled(waiting);
    expect(results).toMatchObject([{ value: 1 }, { reason: { code: 'ERR_CLOSED' } }]);
    expectValues(first, 1);
    expectClosed(first);
  });

  it('the next receive in the queue can be given up', async () => {
    const [tx, rx] = broadcast<number>(8);
    const token = new CancellationToken();
    park(rx, (protocol) => {
      expect(protocol.poll()).toBe(1);
      token.cancel('given up');
    });
    const later = rx.recv({ signal: token });
    tx.send(1);
    await expect(later).rejects.toBe('given up');
    tx.send(2);
    expectValues(rx, 2);
  });

  it('the next waiter can be unparked, also in a close of the channel', () => {
    const [tx, rx] = broadcast<number>(8);
    const later = { woken: 0 };
    park(rx, (protocol) => protocol.unpark(second));
    const second = park(rx, () => later.woken++);
    tx.close();
    expect(later.woken).toBe(0);
    expectClosed(rx);
  });

  it('one select can wait on the same receiver twice', async () => {
    const [tx, rx] = broadcast<number>(8);
    const outcome = select.biased({ a: rx, b: rx });
    tx.send(1);
    expect(await outcome).toEqual({ branch: 'a', value: 1 });
    tx.send(2);
    expectValues(rx, 2);
  });

  it('a send comes before a close by a receiver that has yet to be woken', async () => {
    const [tx, first] = broadcast<number>(8);
    const second = tx.subscribe();
    const third = tx.subscribe();
    const reached: number[] = [];
    park(first, () => reached.push(tx.send(2)));
    park(second, () => tx.close());
    const waiting = [third.recv(), third.recv()];
    tx.send(1);
    expect(reached).toEqual([3]);
    const results = await Promise.allSettled(waiting);
    expect(results).toMatchObject([{ value: 1 }, { value: 2 }]);
    expectClosed(third);
  });

  it('a new subscriber sees the next value and not the current one', () => {
    const [tx, rx] = broadcast<number>(8);
    const born: ReturnType<typeof tx.subscribe>[] = [];
    park(rx, () => born.push(tx.subscribe()));
    tx.send(1);
    tx.send(2);
    expect(born).toHaveLength(1);
    for (const late of born) expectValues(late, 2);
    expectValues(rx, 1, 2);
  });

  it('a send finishes the outer send before it stores: a waiting receive does not lag, at any capacity', async () => {
    const [tx, first] = broadcast<number>(1);
    const others = [tx.subscribe(), tx.subscribe()];
    const waiting = others.map((rx) => rx.recv());
    park(first, () => {
      for (let n = 2; n <= 10; n++) tx.send(n);
    });
    tx.send(1);
    expect(await Promise.all(waiting)).toEqual([1, 1]);
    for (const rx of others) {
      expectLagged(rx, 8);
      expectValues(rx, 10);
    }
  });

  it('a value can be taken from a receiver that is about to be woken, and its receive keeps waiting', async () => {
    const [tx, first] = broadcast<number>(8);
    const second = tx.subscribe();
    park(first, () => expectValues(second, 1));
    const waiting = second.recv({ signal: new CancellationToken() });
    tx.send(1);
    expect(await now(waiting)).toBe('pending');
    tx.send(2);
    expect(await waiting).toBe(2);
  });

  it('a recv on a receiver that is about to be woken queues behind the receive that waits there', async () => {
    const [tx, first] = broadcast<number>(8);
    const second = tx.subscribe();
    const late: Promise<number>[] = [];
    park(first, () => late.push(second.recv()));
    const waiting = second.recv();
    tx.send(1);
    tx.send(2);
    expect(await waiting).toBe(1);
    expect(await Promise.all(late)).toEqual([2]);
  });

  it('a waiter that parks again and then sends is woken for that value', () => {
    const [tx, rx] = broadcast<number>(8);
    const polled: unknown[] = [];
    const waiter = park(rx, (protocol) => {
      polled.push(protocol.poll());
      expect(protocol.poll()).toBe(PENDING);
      protocol.park(waiter);
      if (polled.length < 4) tx.send(polled.length + 1);
    });
    tx.send(1);
    expect(polled).toEqual([1, 2, 3, 4]);
  });

  it('a send by a waiter that has not polled yet takes nothing from it', async () => {
    const [tx, rx] = broadcast<number>(8);
    park(rx, (protocol) => {
      tx.send(2);
      expect(protocol.poll()).toBe(1);
    });
    const waiting = [rx.recv(), rx.recv()];
    tx.send(1);
    tx.send(3);
    expect(await Promise.all(waiting)).toEqual([2, 3]);
    expect(rx.isEmpty).toBe(true);
  });

  it('a receiver that was already woken can be disposed, and so can one that has joined since', async () => {
    const [tx, first] = broadcast<number>(8);
    const second = tx.subscribe();
    const born: Promise<number>[] = [];
    park(first, () => undefined);
    park(second, () => {
      const third = tx.subscribe();
      born.push(third.recv());
      first.dispose();
      third.dispose();
    });
    tx.send(1);
    expect(tx.receiverCount).toBe(1);
    for (const waiting of born) await expect(waiting).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    expectValues(second, 1);
    expect(tx.send(2)).toBe(1);
  });

  it('a waiter that throws affects no other waiter, and its error is reported', async () => {
    const [tx, first] = broadcast<number>(8);
    const second = tx.subscribe();
    const reported: unknown[] = [];
    const previous = setUncaughtHandler((error) => void reported.push(error));
    const error = new Error('wake must not throw');
    park(first, () => {
      throw error;
    });
    const waiting = [first.recv(), second.recv()];
    expect(tx.send(1)).toBe(2);
    expect(await Promise.all(waiting)).toEqual([1, 1]);
    await runEventLoop();
    setUncaughtHandler(previous);
    expect(reported).toEqual([error]);
  });

  it('a receiver that starts to wait is not woken by the send in progress', async () => {
    const [tx, rx] = broadcast<number>(8);
    let late: Promise<number> | undefined;
    park(rx, () => {
      late = tx.subscribe().recv();
    });
    tx.send(1);
    tx.send(2);
    expect(await late).toBe(2);
  });
});

describe('inside a callback', () => {
  it('of a token, a send reaches the receives that wait, except the one that this token gives up', async () => {
    const [tx, rx] = broadcast<number>(8);
    const token = new CancellationToken();
    const given = rx.recv({ signal: token });
    const kept = rx.recv();
    token.onCancelled(() => tx.send(1));
    token.cancel('stop');
    await expect(given).rejects.toBe('stop');
    expect(await kept).toBe(1);
  });

  it('of a token that runs before the receive, a send is received and the cancellation is too late', async () => {
    const [tx, rx] = broadcast<number>(8);
    const token = new CancellationToken();
    token.onCancelled(() => tx.send(1));
    const got = rx.recv({ signal: token });
    token.cancel('too late');
    expect(await got).toBe(1);
  });

  it('of onLag, a send can make it lag again, and that gap is reported too', async () => {
    const [tx, rx] = sent(2, 5);
    const missed: number[] = [];
    const onLag = (count: number): void => {
      missed.push(count);
      if (missed.length < 3) for (const n of [6, 7, 8]) tx.send(n * 10);
    };
    const { value } = await rx.values({ onLag }).next();
    expect(missed).toEqual([3, 3, 3]);
    expect(value).toBe(70);
  });

  it('of onLag, a next() of the same iterator is served first', async () => {
    const [, rx] = sent(2, 5);
    const inner: Promise<unknown>[] = [];
    const values = rx.values({ onLag: () => inner.push(values.next()) });
    expect(await values.next()).toEqual({ done: false, value: 5 });
    expect(await Promise.all(inner)).toEqual([{ done: false, value: 4 }]);
  });

  it('of onLag, the receiver can be disposed, or the channel closed', async () => {
    const [, closing] = sent(2, 5);
    expect(await closing.values({ onLag: () => closing.dispose() }).next()).toEqual({ done: true, value: undefined });
    const [tx, draining] = sent(2, 5);
    const values = draining.values({ onLag: () => tx.close() });
    expect(await values.next()).toEqual({ done: false, value: 4 });
  });
});

describe('inside a continuation', () => {
  it('a send comes after earlier sends', async () => {
    const [tx, a] = broadcast<string>(8);
    const b = tx.subscribe();
    const answered = a.recv().then((value) => tx.send(`answer to ${value}`));
    tx.send('one');
    tx.send('two');
    expect(await answered).toBe(2);
    expectValues(b, 'one', 'two', 'answer to one');
    expectValues(a, 'two', 'answer to one');
  });

  it('disposing the receiver leaves no value for later receives', async () => {
    const [tx, rx] = broadcast<number>(8);
    const closed = rx.recv().then(() => rx.dispose());
    const next = rx.recv();
    tx.send(1);
    await closed;
    await expect(next).rejects.toMatchObject({ code: 'ERR_CLOSED' });
  });
});

describe('a waiter', () => {
  it('that is parked again keeps its place, and unparking one that is not parked changes nothing', async () => {
    const [tx, rx] = broadcast<number>(8);
    const order: string[] = [];
    const protocol = rx[source];
    const first = park(rx, () => order.push(`first ${String(protocol.poll())}`));
    const second = park(rx, () => order.push(`second ${String(protocol.poll())}`));
    protocol.park(first);
    tx.send(1);
    protocol.unpark(first);
    tx.send(2);
    protocol.unpark(second);
    expect(order).toEqual(['first 1', 'second 2']);
  });

  it('cannot be parked on two sources at once', () => {
    const [tx, rx] = broadcast<number>(8);
    const other = tx.subscribe();
    const waiter = park(rx, () => {});
    expect(() => other[source].park(waiter)).toThrow(TypeError);
    other[source].unpark(waiter);
    rx[source].unpark(waiter);
    tx.send(1);
    expectValues(rx, 1);
    expectValues(other, 1);
  });
});
