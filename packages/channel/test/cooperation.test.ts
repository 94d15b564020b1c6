// A loop over ready values runs in microtasks only. The event loop must still run. The tests count, and do not time.
import { channel, Mutex, oneshot, unboundedChannel, watch } from '@quiesce/channel';
import { describe, expect, it } from 'vitest';

/** Completions between two runs of the event loop, as documented. */
const BUDGET = 1024;

/** Repeats `act` until the event loop has run `turns` times. Gives up after far too many. */
async function repeatUntilTurned(turns: number, act: (i: number) => PromiseLike<unknown>): Promise<number> {
  let turned = 0;
  const count = (): void => {
    if (++turned < turns) setImmediate(count);
  };
  setImmediate(count);
  let i = 0;
  while (turned < turns && i < 20 * turns * BUDGET) await act(i++);
  return i;
}

describe('a loop lets the event loop run every 1,024 completions:', () => {
  const loops: Record<string, () => (i: number) => PromiseLike<unknown>> = {
    'recv of a value that is there': () => {
      const [tx, rx] = unboundedChannel<number>();
      return (i) => {
        tx.send(i);
        return rx.recv();
      };
    },
    'recv of a later value': () => {
      const [tx, rx] = channel<number>(1);
      return (i) => {
        const waiting = rx.recv();
        tx.trySend(i);
        return waiting;
      };
    },
    'recvMany, with options': () => {
      const [tx, rx] = unboundedChannel<number>();
      return (i) => {
        tx.send(i);
        return rx.recvMany(2, { timeout: 1000 });
      };
    },
    'send when there is room': () => {
      const [tx, rx] = channel<number>(1);
      return (i) => {
        rx.tryRecv();
        return tx.send(i);
      };
    },
    'send that waits': () => {
      const [tx, rx] = channel<number>(1);
      tx.trySend(0);
      return (i) => {
        const waiting = tx.send(i);
        rx.tryRecv();
        return waiting;
      };
    },
    'send that fails': () => {
      const [tx, rx] = channel<number>(1);
      rx.close();
      return (i) => tx.send(i).catch(() => {});
    },
    'recv that fails': () => {
      const [tx, rx] = channel<number>(1);
      tx.close();
      return () => rx.recv().catch(() => {});
    },
    'recv that is already cancelled': () => {
      const [, rx] = channel<number>(1);
      const signal = AbortSignal.abort();
      return () => rx.recv({ signal }).catch(() => {});
    },
    'acquire and release': () => {
      const lock = new Mutex();
      return () => lock.acquire().then((guard) => guard.release());
    },
    changed: () => {
      const [tx, rx] = watch(0);
      return (i) => {
        tx.send(i);
        return rx.changed();
      };
    },
    oneshot: () => () => {
      const [tx, rx] = oneshot<number>();
      tx.send(1);
      return rx;
    },
  };

  it.each(Object.keys(loops))('%s', async (name) => {
    const act = loops[name]?.();
    if (act === undefined) throw new Error(name);
    expect(await repeatUntilTurned(3, act)).toBeLessThanOrEqual(3 * BUDGET);
  });
});

it('an iteration lets the event loop run, and neither loses a value nor changes the order', async () => {
  const count = 10 * BUDGET;
  const [tx, rx] = unboundedChannel<number>();
  for (let n = 0; n < count; n++) tx.send(n);
  tx.close();
  let turned = 0;
  const countRun = (): void => {
    turned++;
    if (!rx.isEmpty) setImmediate(countRun);
  };
  setImmediate(countRun);
  let next = 0;
  for await (const value of rx) expect(value).toBe(next++);
  expect(next).toBe(count);
  expect(turned).toBeGreaterThanOrEqual(9);
});

it('receives settle in order, even when the event loop runs before a value and the next one fails', async () => {
  const orders = new Set<string>();
  for (let i = 0; i < 3 * BUDGET; i++) {
    const [tx, rx] = channel<number>(1);
    tx.trySend(i);
    tx.close();
    const order: string[] = [];
    await Promise.allSettled(['value', 'end'].map((name) => rx.recv().finally(() => order.push(name))));
    orders.add(order.join());
  }
  expect([...orders]).toEqual(['value,end']);
});
