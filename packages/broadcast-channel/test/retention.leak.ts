// A channel retains the values that a receiver has yet to read, and nothing else.
import { getEventListeners } from 'node:events';
import { type BroadcastReceiver, type BroadcastSender, broadcast } from '@quiesce/broadcast-channel';
import { CancellationToken } from '@quiesce/cancellation-token';
import { select } from '@quiesce/select';
import { describe, expect, test } from 'vitest';
import { bytesPerTurn, collectGarbage, survivors } from '../../../test/leak/leak.ts';

type Channel = [tx: BroadcastSender<object>, rx: BroadcastReceiver<object>];

/** Sends `count` objects and returns which of them, counted from 0, are retained after `act`. */
async function kept(
  [tx, rx]: Channel,
  count: number,
  act: (tx: BroadcastSender<object>, rx: BroadcastReceiver<object>) => unknown,
) {
  const sent: WeakRef<object>[] = [];
  const send = (): void => {
    const value = {};
    sent.push(new WeakRef(value));
    tx.send(value);
  };
  for (let i = 0; i < count; i++) send();
  await act(tx, rx);
  await collectGarbage();
  const left = sent.flatMap((ref, i) => (ref.deref() === undefined ? [] : [i]));
  // Used until here, or the collector would take the channel with everything that it keeps.
  expect(rx.length).toBeGreaterThanOrEqual(0);
  expect(tx.receiverCount).toBeGreaterThanOrEqual(0);
  return left;
}

describe('a value', () => {
  test('is kept until it is read', async () => {
    expect(await kept(broadcast(4), 3, () => {})).toEqual([0, 1, 2]);
  });

  test('is released when its last reader has read it', async () => {
    expect(await kept(broadcast(4), 3, (_, rx) => void rx.tryRecv())).toEqual([1, 2]);
    expect(await kept(broadcast(4), 3, async (_, rx) => void (await rx.recv()))).toEqual([1, 2]);
  });

  test('is kept for the slowest reader', async () => {
    const channel = broadcast<object>(4);
    const slow = channel[0].subscribe();
    const read = (_: unknown, rx: BroadcastReceiver<object>): void => {
      for (let i = 0; i < 3; i++) rx.tryRecv();
      slow.tryRecv();
    };
    expect(await kept(channel, 3, read)).toEqual([1, 2]);
    expect(slow.length).toBe(2);
  });

  test('is released when the reader that has not read it leaves', async () => {
    expect(await kept(broadcast(4), 3, (_, rx) => rx.dispose())).toEqual([]);
  });

  test('is released when it is overwritten, before the lag is reported', async () => {
    expect(await kept(broadcast(2), 5, () => {})).toEqual([3, 4]);
  });

  test('is kept by a closed channel until it is drained', async () => {
    expect(await kept(broadcast(4), 2, (tx) => tx.close())).toEqual([0, 1]);
    const drain = (tx: BroadcastSender<object>, rx: BroadcastReceiver<object>): void => {
      tx.close();
      while (rx.tryRecv().ok);
    };
    expect(await kept(broadcast(4), 2, drain)).toEqual([]);
  });

  test('is not kept when there is no receiver', async () => {
    const channel = broadcast<object>(4);
    channel[1].dispose();
    expect(await kept(channel, 3, () => {})).toEqual([]);
  });

  test('is not kept by a batch that was delivered, nor by an iteration that has ended', async () => {
    const batch = async (_: unknown, rx: BroadcastReceiver<object>): Promise<void> => {
      await rx.recvMany(2);
    };
    expect(await kept(broadcast(4), 3, batch)).toEqual([2]);
    const iteration = async (_: unknown, rx: BroadcastReceiver<object>): Promise<void> => {
      let left = 2;
      for await (const _ of rx) if (--left === 0) break;
    };
    expect(await kept(broadcast(4), 3, iteration)).toEqual([2]);
  });

  test('is not kept by a batch that waited for it', async () => {
    const channel = broadcast<object>(4);
    const waiting = [channel[1].recvMany(2), channel[1].recvMany(2)];
    const receive = async (): Promise<void> => void (await Promise.all(waiting.splice(0)));
    expect(await kept(channel, 2, receive)).toEqual([]);
  });

  test('is not kept by the receive that took it', async () => {
    const channel = broadcast<object>(4);
    const waiting = [channel[1].recv(), channel[1].recv()];
    expect(
      await kept(channel, 2, async () => {
        await Promise.all(waiting.splice(0));
      }),
    ).toEqual([]);
  });
});

describe('a long-lived receiver', () => {
  const turns = 50_000;

  test('retains nothing of the receives that were given up, nor does their signal', async () => {
    const [tx, rx] = broadcast<number>(4);
    const { signal } = new AbortController();
    const growth = await bytesPerTurn({ turns }, async () => {
      const token = new CancellationToken();
      const given = rx.recv({ signal: token });
      const kept = rx.recv({ signal });
      token.cancel('given up');
      await given.catch(() => {});
      tx.send(1);
      await kept;
    });
    expect(growth).toBeLessThan(1);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  test('retains nothing of the selects that it has lost', async () => {
    const [tx, rx] = broadcast<number>(4);
    const growth = await bytesPerTurn({ turns }, () => select({ rx, ready: Promise.resolve() }));
    expect(growth).toBeLessThan(1);
    expect(tx.send(1)).toBe(1);
  });

  test('retains nothing of the iterations that were left', async () => {
    const [tx, rx] = broadcast<number>(4);
    const growth = await bytesPerTurn({ turns }, async () => {
      tx.send(1);
      for await (const _ of rx) break;
    });
    expect(growth).toBeLessThan(1);
  });
});

test('an iteration that was left retains nothing of its onLag, even when it was waiting', async () => {
  const tx = broadcast.sender<number>(4);
  const receivers: BroadcastReceiver<number>[] = [];
  const left = await survivors(1_000, async () => {
    const rx = tx.subscribe();
    receivers.push(rx);
    const onLag = (): void => {};
    const values = rx.values({ onLag });
    const waiting = values.next();
    await values.return?.();
    await waiting;
    return onLag;
  });
  expect(left).toBe(0);
  expect(receivers).toHaveLength(tx.receiverCount);
});

test('a channel retains nothing of selects on closed() that were lost', async () => {
  const [tx, rx] = broadcast<number>(4);
  const growth = await bytesPerTurn({ turns: 50_000 }, () =>
    select({ noReceiver: tx.closed(), ready: Promise.resolve() }),
  );
  expect(growth).toBeLessThan(1);
  rx.dispose();
  await tx.closed();
});

test('a channel retains nothing of the senders that were closed and the weak senders that were disposed', async () => {
  const [tx] = broadcast<object>(4);
  const left = await survivors(10_000, () => {
    const weak = tx.downgrade();
    const again = weak.upgrade();
    weak.dispose();
    again?.close();
    return weak;
  });
  expect(left).toBe(0);
  expect([tx.strongCount, tx.weakCount]).toEqual([1, 0]);
});

test('a queue of waiting receivers retains none that left it, without any send', async () => {
  const [tx, rx] = broadcast<object>(4);
  const waiting = rx.recv();
  const left = await survivors(1_000, async () => {
    const one = tx.subscribe();
    const two = tx.subscribe();
    const lost = [one.recv().catch(() => {}), two.recv().catch(() => {})];
    one.dispose();
    two.dispose();
    await Promise.all(lost);
    return two;
  });
  expect(left).toBe(0);
  const value = {};
  tx.send(value);
  expect(await waiting).toBe(value);
});

test('a channel retains nothing of disposed receivers, whether or not something waited on them', async () => {
  const [tx] = broadcast<object>(4);
  const left = await survivors(10_000, async (i) => {
    const rx = tx.subscribe();
    if (i % 2 === 0) tx.send({});
    const waiting = i % 3 === 0 && rx.recv().catch(() => {});
    rx.dispose();
    await waiting;
    return rx;
  });
  expect(left).toBe(0);
  const waited = await survivors(1_000, async () => {
    const rx = tx.subscribe();
    const waiting = rx.recv().catch(() => {});
    rx.dispose();
    await waiting;
    return rx;
  });
  expect(waited).toBe(0);
  expect(tx.receiverCount).toBe(1);
});
