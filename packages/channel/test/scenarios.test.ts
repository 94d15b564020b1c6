// The rules of Go's own channel tests: many producers and consumers, nothing lost, nothing twice, in order.
import { CancellationToken } from '@quiesce/cancellation-token';
import { channel, Mutex, oneshot, type Receiver, Semaphore, type Sender, unboundedChannel } from '@quiesce/channel';
import { select } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { expectClosed, expectEmpty, now, take } from './vocabulary.ts';

interface Message {
  readonly producer: number;
  readonly n: number;
}

/** Checks everything that all consumers have received. */
function expectComplete(received: readonly Message[], producers: number, each: number): void {
  expect(received).toHaveLength(producers * each);
  for (let producer = 0; producer < producers; producer++) {
    const own = received.filter((message) => message.producer === producer).map(({ n }) => n);
    expect(own.sort((a, b) => a - b)).toEqual(Array.from({ length: each }, (_, n) => n));
  }
}

/** Whether each producer's values arrive in the order in which they were sent. */
function expectOrdered(received: readonly Message[]): void {
  const last = new Map<number, number>();
  for (const { producer, n } of received) {
    expect(n).toBeGreaterThan(last.get(producer) ?? -1);
    last.set(producer, n);
  }
}

type Produce = (tx: Sender<Message>, message: Message) => Promise<unknown>;
const ways: Record<string, Produce> = {
  send: (tx, message) => tx.send(message),
  'send with a signal': (tx, message) => tx.send(message, { signal: new CancellationToken() }),
  reserve: async (tx, message) => (await tx.reserve()).send(message),
  select: async (tx, message) => {
    const { value } = await select({ room: tx.reserve() });
    value.send(message);
  },
  'select that often loses': async (tx, message) => {
    for (let round = 0; ; round++) {
      const outcome = await select({ room: tx.reserve(), early: round < 2 && Promise.resolve() });
      if (outcome.branch !== 'room') continue;
      outcome.value.send(message);
      return;
    }
  },
  'trySend, and send where that is refused': async (tx, message) => {
    if (!tx.trySend(message).ok) await tx.send(message);
  },
  'trial and error': async (tx, message) => {
    // Given up again and again, and then sent.
    for (let i = 0; i < 2; i++) {
      const token = new CancellationToken();
      const sent = tx.send(message, { signal: token }).then(
        () => true,
        () => false,
      );
      await Promise.resolve();
      token.cancel();
      if (await sent) return;
    }
    await tx.send(message);
  },
};

const receives: Record<string, (rx: Receiver<Message>) => Promise<readonly Message[]>> = {
  recv: async (rx) => [await rx.recv()],
  'recv with a signal': async (rx) => [await rx.recv({ signal: new CancellationToken() })],
  recvMany: (rx) => rx.recvMany(3),
  select: async (rx) => [(await select({ rx })).value],
  iteration: async (rx) => {
    for await (const message of rx) return [message];
    return Promise.reject(new Error('over'));
  },
};

async function consume(rx: Receiver<Message>, receive: (rx: Receiver<Message>) => Promise<readonly Message[]>) {
  const received: Message[] = [];
  for (;;) {
    const messages = await receive(rx).catch(() => undefined);
    if (messages === undefined) return received;
    received.push(...messages);
  }
}

const each = 50;

describe.each(Object.keys(ways))('producers that use %s', (way) => {
  it.each(Object.keys(receives))('and consumers that use %s lose nothing and get nothing twice', async (name) => {
    const [produce, receive] = [ways[way], receives[name]];
    if (produce === undefined || receive === undefined) throw new Error('no such way');
    for (const capacity of [1, 3, 64]) {
      const [tx, rx] = channel<Message>(capacity);
      const producing = Array.from({ length: 8 }, async (_, producer) => {
        using own = tx.clone();
        for (let n = 0; n < each; n++) await produce(own, { producer, n });
      });
      tx.close();
      const consumers = capacity === 3 ? 4 : 1;
      const received = await Promise.all(Array.from({ length: consumers }, () => consume(rx, receive)));
      await Promise.all(producing);
      for (const own of received) expectOrdered(own);
      expectComplete(received.flat(), 8, each);
      expectClosed(rx);
    }
  });
});

describe('consumers that', () => {
  it('give up again and again lose nothing', async () => {
    const [tx, rx] = unboundedChannel<number>();
    const received: number[] = [];
    const consuming = (async () => {
      for (let i = 0; received.length < 200; i++) {
        const token = new CancellationToken();
        const value = rx.recv({ signal: token });
        if (i % 3 > 0) token.cancel();
        await value.then((got) => received.push(got)).catch(() => {});
      }
    })();
    for (let value = 0; value < 200; value++) {
      tx.send(value);
      if (value % 7 === 0) await Promise.resolve();
    }
    await consuming;
    expect(received).toEqual(Array.from({ length: 200 }, (_, value) => value));
  });

  it('wait in a select on two channels get every value of both', async () => {
    const [a, fromA] = channel<number>(1);
    const [b, fromB] = channel<number>(1);
    const producing = [a, b].map(async (tx) => {
      for (let value = 0; value < 100; value++) await tx.send(value);
    });
    const seen: Record<string, number[]> = { fromA: [], fromB: [] };
    for (let i = 0; i < 200; i++) {
      const outcome = await select({ fromA, fromB });
      seen[outcome.branch]?.push(outcome.value);
    }
    await Promise.all(producing);
    const all = Array.from({ length: 100 }, (_, value) => value);
    expect(seen).toEqual({ fromA: all, fromB: all });
  });
});

describe('select between sending and receiving', () => {
  it('does one of them each time, and both in the end', async () => {
    const [out, taken] = channel<number>(1);
    const [given, into] = channel<number>(1);
    const other = (async () => {
      for (let value = 0; value < 50; value++) await given.send(value);
      const got: number[] = [];
      for (let i = 0; i < 50; i++) got.push(await taken.recv());
      return got;
    })();
    const received: number[] = [];
    let sent = 0;
    while (received.length < 50 || sent < 50) {
      const outcome = await select({
        room: sent < 50 && out.reserve(),
        value: received.length < 50 && into,
      });
      if (outcome.branch === 'value') received.push(outcome.value);
      else outcome.value.send(sent++);
    }
    const all = Array.from({ length: 50 }, (_, value) => value);
    expect(received).toEqual(all);
    expect(await other).toEqual(all);
  });
});

describe('the prime sieve', () => {
  it('gives the primes in order through a chain of channels', async () => {
    const stop = new CancellationToken();
    const filter = async (from: Receiver<number>, to: Sender<number>, prime: number): Promise<void> => {
      for await (const n of from) if (n % prime !== 0) await to.send(n, { signal: stop });
    };
    const [numbers, first] = channel<number>(1);
    const running = [
      (async () => {
        for (let n = 2; ; n++) await numbers.send(n, { signal: stop });
      })(),
    ];
    const primes: number[] = [];
    let from = first;
    const closers: Receiver<number>[] = [];
    for (let i = 0; i < 20; i++) {
      const prime = await from.recv();
      primes.push(prime);
      const [to, next] = channel<number>(1);
      running.push(filter(from, to, prime) as Promise<never>);
      closers.push(from);
      from = next;
    }
    stop.cancel('enough');
    for (const rx of closers) rx.dispose();
    await Promise.allSettled(running);
    expect(primes.slice(-3)).toEqual([61, 67, 71]);
  });
});

describe('a channel in a channel', () => {
  it('carries answers back to the sender of each request', async () => {
    const [tx, rx] = channel<{ n: number; reply: ReturnType<typeof oneshot<number>>[0] }>(2);
    const server = (async () => {
      for await (const { n, reply } of rx) reply.send(n * n);
    })();
    const ask = async (n: number): Promise<number> => {
      const [reply, answer] = oneshot<number>();
      await tx.send({ n, reply });
      return answer;
    };
    expect(await Promise.all([1, 2, 3, 4].map(ask))).toEqual([1, 4, 9, 16]);
    tx.close();
    await server;
  });
});

describe('locks under many workers', () => {
  it('a mutex keeps a counter right across awaits', async () => {
    const lock = new Mutex();
    let counter = 0;
    const work = async (): Promise<void> => {
      for (let i = 0; i < 50; i++) {
        using _ = await lock.acquire();
        const seen = counter;
        await Promise.resolve();
        counter = seen + 1;
      }
    };
    await Promise.all(Array.from({ length: 20 }, work));
    expect(counter).toBe(1000);
  });

  it('a semaphore never gives out more than it has, whatever is acquired and given up', async () => {
    const semaphore = new Semaphore(5);
    let [held, most] = [0, 0];
    const work = async (_: unknown, id: number): Promise<void> => {
      for (let i = 0; i < 30; i++) {
        const count = 1 + ((id + i) % 5);
        const token = new CancellationToken();
        const place = semaphore.acquireMany(count, { signal: token }).then(
          (permit) => permit,
          () => undefined,
        );
        if ((id + i) % 4 === 0) token.cancel();
        using permit = await place;
        if (permit === undefined) continue;
        held += permit.permitCount;
        most = Math.max(most, held);
        await Promise.resolve();
        held -= permit.permitCount;
      }
    };
    await Promise.all(Array.from({ length: 20 }, work));
    expect([held, semaphore.availablePermits]).toEqual([0, 5]);
    expect(most).toBeLessThanOrEqual(5);
    expect(most).toBeGreaterThan(1);
  });
});

it('an empty channel blocks its receiver, and a full one its sender, until the other side acts', async () => {
  const [tx, rx] = channel<number>(1);
  const received = rx.recv();
  expect(await now(received)).toBe('pending');
  await tx.send(1);
  expect(await received).toBe(1);
  await tx.send(2);
  const sent = tx.send(3);
  expect(await now(sent)).toBe('pending');
  expect(take(rx)).toBe(2);
  await sent;
  expect(take(rx)).toBe(3);
  expectEmpty(rx);
});
