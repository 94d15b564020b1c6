// Misuse: the call is refused, or at least harms no other receiver.
import { type BroadcastReceiver, broadcast } from '@quiesce/broadcast-channel';
import { CancellationToken, PENDING, source, type Waiter } from '@quiesce/cancellation-token';
import { select } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { expectClosed, expectEmpty, expectValues, now, park, sent } from './vocabulary.ts';

describe('options that cannot be read', () => {
  it('reject the receive, and nothing is consumed', async () => {
    const [, rx] = sent(4, 1);
    const error = new Error('hostile');
    const options = {
      get signal(): never {
        throw error;
      },
    };
    await expect(rx.recv(options)).rejects.toBe(error);
    await expect(rx.recvMany(2, options)).rejects.toBe(error);
    expectValues(rx, 1);
  });

  it.each([{}, { signal: undefined }])('%o means that there is no signal', async (options) => {
    const [tx, rx] = sent(4, 1);
    expect(await rx.recv(options as object)).toBe(1);
    const waiting = rx.recv(options as object);
    tx.send(2);
    expect(await waiting).toBe(2);
  });
});

describe('a value', () => {
  it('with a then that appears after the first look reaches tryRecv unchanged', () => {
    const [tx, rx] = broadcast<object>(4);
    let looks = 0;
    const value = Object.defineProperty({}, 'then', { get: () => (looks++ > 0 ? () => {} : undefined) });
    tx.send(value);
    const got = rx.tryRecv();
    expect(got.ok && got.value === value).toBe(true);
  });

  it('with a getter that sends during the delivery finds the channel in order', async () => {
    const [tx, rx] = broadcast<object>(1);
    const other = tx.subscribe();
    let looks = 0;
    const value = Object.defineProperty({}, 'then', {
      get: () => {
        if (looks++ === 1) tx.send({ n: 2 });
        return undefined;
      },
    });
    const waiting = [rx.recv(), rx.recv(), other.recv(), other.recv()];
    tx.send(value);
    const [first, second, third, fourth] = await Promise.all(waiting);
    expect([first, third]).toEqual([value, value]);
    expect([second, fourth]).toEqual([{ n: 2 }, { n: 2 }]);
    expectEmpty(rx as BroadcastReceiver<unknown>);
  });

  it('that throws when it is inspected is refused with its own error, and no receiver gets it', () => {
    const [tx, rx] = broadcast<object>(4);
    const error = new Error('do not look');
    const value = Object.defineProperty({}, 'then', {
      get: () => {
        throw error;
      },
    });
    expect(() => tx.send(value)).toThrow(error);
    expectEmpty(rx);
  });

  it('that is PENDING itself is refused: a poll could not distinguish it from no value', () => {
    const [tx, rx] = broadcast<symbol>(4);
    expect(() => tx.send(PENDING)).toThrow(TypeError);
    expect(() => tx.send(PENDING)).toThrow('send: ');
    expectEmpty(rx);
  });
});

describe('a waiter', () => {
  it('that is woken and takes nothing does not keep the value from the waiters after it', async () => {
    const [tx, rx] = broadcast<number>(4);
    const waiter = park(rx, (protocol) => protocol.park(waiter));
    const waiting = [rx.recv(), rx.recv()];
    tx.send(1);
    tx.send(2);
    expect(await Promise.all(waiting)).toEqual([1, 2]);
    rx[source].unpark(waiter);
  });

  it('that parks on a ready receiver does not keep the next send from the waiters after it', async () => {
    const [tx, rx] = sent(4, 1);
    const lazy: Waiter = { next: undefined, prev: undefined, owner: undefined, wake: () => {} };
    rx[source].park(lazy);
    const later = rx.recv();
    tx.send(2);
    expect(await later).toBe(1);
    expectValues(rx, 2);
  });

  it('that is unparked from a receiver on which it is not parked changes nothing', async () => {
    const [tx, rx] = broadcast<number>(4);
    const stranger: Waiter = { next: undefined, prev: undefined, owner: undefined, wake: () => {} };
    const waiting = rx.recv();
    rx[source].unpark(stranger);
    rx[source].unpark(stranger);
    tx.send(1);
    expect(await waiting).toBe(1);
  });

  it('may park on a disposed receiver or a closed channel, and is not woken', () => {
    const [tx, rx] = broadcast<number>(4);
    const waiter: Waiter = { next: undefined, prev: undefined, owner: undefined, wake: () => expect.fail('woken') };
    const other = tx.subscribe();
    other.dispose();
    other[source].park(waiter);
    tx.send(1);
    other[source].unpark(waiter);
    tx.close();
    rx[source].park(waiter);
    expectValues(rx, 1);
    expectClosed(rx);
    rx[source].unpark(waiter);
    rx.dispose();
  });
});

describe('many at once', () => {
  it('10,000 receives on one receiver are served in order when a tenth of them is given up', async () => {
    const [tx, rx] = broadcast<number>(16_384);
    const token = new CancellationToken();
    const count = 10_000;
    const waiting = Array.from({ length: count }, (_, i) => rx.recv(i % 10 === 3 ? { signal: token } : undefined));
    token.cancel('given up');
    for (let n = 0; n < count; n++) tx.send(n);
    const results = await Promise.allSettled(waiting);
    const got = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    expect(got).toEqual(Array.from({ length: 9_000 }, (_, i) => i));
    expect(rx.length).toBe(1_000);
  });

  it('receivers that come and leave in any order keep the others in the queue', async () => {
    const [tx, first] = broadcast<number>(4);
    const receivers = [first, ...Array.from({ length: 99 }, () => tx.subscribe())];
    const waiting = receivers.map((rx) => rx.recv());
    const isGoing = (i: number): boolean => (i * 7) % 10 < 5;
    for (const [i, rx] of receivers.entries()) if (isGoing(i)) rx.dispose();
    expect(tx.send(1)).toBe(receivers.filter((_, i) => !isGoing(i)).length);
    for (const [i, result] of (await Promise.allSettled(waiting)).entries()) {
      expect(result.status).toBe(isGoing(i) ? 'rejected' : 'fulfilled');
    }
    expect(tx.isEmpty).toBe(true);
  });

  it('receivers that leave in any order keep the queue in order, whichever cursor took their place', async () => {
    const tx = broadcast.sender<number>(4);
    const [a, b, c, d] = [tx.subscribe(), tx.subscribe(), tx.subscribe(), tx.subscribe()];
    for (const rx of [a, b, c, d]) void rx.recv().catch(() => {});
    for (const rx of [a, d, c]) rx.dispose();
    for (let n = 1; n <= 5; n++) {
      expect(tx.send(n)).toBe(1);
      expectEmpty(b);
      const next = b.recv();
      expect(tx.send(-n)).toBe(1);
      expect(await next).toBe(-n);
      void b.recv();
    }
  });

  it('selects that lose a million times leave the receiver as it was', async () => {
    const [tx, rx] = broadcast<number>(4);
    const waiter: Waiter = { next: undefined, prev: undefined, owner: undefined, wake: () => {} };
    // If each round left an entry, the last rounds would take seconds, or run out of memory.
    for (let i = 0; i < 1_000_000; i++) {
      rx[source].park(waiter);
      rx[source].unpark(waiter);
    }
    const outcome = select({ rx });
    tx.send(1);
    expect((await outcome).value).toBe(1);
  });
});

it('a signal that aborts while a listener is added gives up the receive', async () => {
  const [tx, rx] = broadcast<number>(4);
  const controller = new AbortController();
  const { signal } = controller;
  signal.addEventListener = (...args: Parameters<typeof signal.addEventListener>) => {
    controller.abort('before the listener');
    EventTarget.prototype.addEventListener.apply(signal, args);
  };
  expect(await now(rx.recv({ signal }))).toEqual({ error: 'before the listener' });
  tx.send(1);
  expectValues(rx, 1);
});

it('a handle that has ended can be ended again from anywhere, and its methods can be detached', async () => {
  const [tx, rx] = broadcast<number>(4);
  const waiting = rx.recv();
  park(tx.closed(), () => {
    rx.dispose();
    tx.close();
  });
  rx.dispose();
  rx.dispose();
  tx.close();
  expect(await now(waiting)).toMatchObject({ error: { code: 'ERR_CLOSED' } });
  const { sender } = broadcast;
  expect(sender<number>(4).receiverCount).toBe(0);
});
