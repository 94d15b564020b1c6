// A loop over ready values runs in microtasks only. The event loop must still run. The tests count, and do not time.
import { broadcast } from '@quiesce/broadcast-channel';
import { CancellationToken } from '@quiesce/cancellation-token';
import { expect, it } from 'vitest';
import { expectValues } from './vocabulary.ts';

/** Completions between two runs of the event loop, as documented, and those that may have been spent before. */
const BUDGET = 1024;

/** Repeats `act` until the event loop has run `turns` times. Gives up after far too many. */
async function repeatUntilTurned(turns: number, act: (i: number) => Promise<unknown>): Promise<number> {
  let turned = 0;
  const count = (): void => {
    if (++turned < turns) setImmediate(count);
  };
  setImmediate(count);
  let i = 0;
  while (turned < turns && i < 20 * turns * BUDGET) await act(i++);
  return i;
}

it('a loop of recv over ready values lets the event loop run every 1,024 values', async () => {
  const [tx, rx] = broadcast<number>(1);
  const received = await repeatUntilTurned(5, (i) => {
    tx.send(i);
    return rx.recv();
  });
  expect(received).toBeLessThanOrEqual(5 * BUDGET);
});

it('a for await loop lets the event loop run, and neither loses a value nor changes the order', async () => {
  const count = 10 * BUDGET;
  const [tx, rx] = broadcast<number>(count);
  for (let n = 0; n < count; n++) tx.send(n);
  tx.close();
  let turned = 0;
  const countRun = (): void => {
    turned++;
    if (rx.length > 0) setImmediate(countRun);
  };
  setImmediate(countRun);
  let expected = 0;
  for await (const value of rx) expect(value).toBe(expected++);
  expect(expected).toBe(count);
  expect(turned).toBeGreaterThanOrEqual(9);
});

it('a loop of recvMany lets the event loop run every 1,024 batches', async () => {
  const [tx, rx] = broadcast<number>(8);
  const received = await repeatUntilTurned(3, (i) => {
    for (let n = 0; n < 8; n++) tx.send(i);
    return rx.recvMany(8);
  });
  expect(received).toBeLessThanOrEqual(3 * BUDGET);
});

it('receives that wait and are served in microtasks only let the event loop run', async () => {
  const [tx, rx] = broadcast<number>(1);
  const received = await repeatUntilTurned(3, (i) => {
    const got = rx.recv();
    tx.send(i);
    return got;
  });
  expect(received).toBeLessThanOrEqual(3 * BUDGET);
});

it('a receive that waited and fails after the event loop has run is rejected once, where its user handles it', async () => {
  const unhandled: unknown[] = [];
  const note = (error: unknown): void => void unhandled.push(error);
  process.on('unhandledRejection', note);
  for (let i = 0; i < 3 * BUDGET; i++) {
    const [tx, rx] = broadcast<number>(1);
    const results = [rx.recv(), rx.recvMany(2), rx.values().next()];
    if (i % 2 === 0) tx.close();
    else rx.dispose();
    const [first, second, third] = await Promise.allSettled(results);
    expect([first?.status, second?.status, third?.status]).toEqual(['rejected', 'rejected', 'fulfilled']);
  }
  process.off('unhandledRejection', note);
  expect(unhandled).toEqual([]);
});

it('a loop over a closed channel lets the event loop run', async () => {
  const [tx, rx] = broadcast<number>(1);
  tx.close();
  expect(await repeatUntilTurned(2, () => rx.recv().catch(() => {}))).toBeLessThanOrEqual(2 * BUDGET);
});

it('a loop of receives that are already cancelled lets the event loop run, and consumes nothing', async () => {
  const [tx, rx] = broadcast<number>(1);
  tx.send(1);
  const signal = AbortSignal.abort('no');
  expect(await repeatUntilTurned(2, () => rx.recv({ signal }).catch(() => {}))).toBeLessThanOrEqual(2 * BUDGET);
  expectValues(rx, 1);
});

it('a loop of receives that are given up while they wait lets the event loop run', async () => {
  const [, rx] = broadcast<number>(1);
  const given = await repeatUntilTurned(2, () => {
    const token = new CancellationToken();
    const waiting = rx.recv({ signal: token });
    token.cancel();
    return waiting.catch(() => {});
  });
  expect(given).toBeLessThanOrEqual(2 * BUDGET);
});

it('receives settle in order, even when the event loop runs before a value and the next one fails', async () => {
  const orders = new Set<string>();
  for (let i = 0; i < 3 * BUDGET; i++) {
    const [tx, rx] = broadcast<number>(1);
    tx.send(i);
    tx.close();
    const order: string[] = [];
    await Promise.allSettled(['value', 'end'].map((name) => rx.recv().finally(() => order.push(name))));
    orders.add(order.join());
  }
  expect([...orders]).toEqual(['value,end']);
});
