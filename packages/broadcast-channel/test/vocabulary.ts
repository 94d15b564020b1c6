import { type BroadcastReceiver, type BroadcastSender, broadcast, type ChannelEnd } from '@quiesce/broadcast-channel';
import { PENDING, type Source, type SourceProtocol, source, type Waiter } from '@quiesce/cancellation-token';
import { expect } from 'vitest';

/** Expects the next values, in order. */
export function expectValues<T>(rx: BroadcastReceiver<T>, ...values: readonly T[]): void {
  for (const value of values) expect(rx.tryRecv()).toEqual({ ok: true, value });
}

export function expectEmpty(rx: BroadcastReceiver<unknown>): void {
  expect(rx.tryRecv()).toEqual({ ok: false, why: 'empty' });
}

export function expectClosed(rx: BroadcastReceiver<unknown>): void {
  expect(rx.tryRecv()).toEqual({ ok: false, why: 'closed' });
}

export function expectLagged(rx: BroadcastReceiver<unknown>, missedCount: number): void {
  expect(rx.tryRecv()).toEqual({ ok: false, why: 'lagged', missedCount });
}

/** Expects the same counts of senders on every handle. */
export function expectCounts(strongCount: number, weakCount: number, ...handles: readonly ChannelEnd[]): void {
  for (const handle of handles) {
    expect({ strongCount: handle.strongCount, weakCount: handle.weakCount }).toEqual({ strongCount, weakCount });
  }
}

/** Makes a channel on which `count` values, 1 to `count`, have been sent. */
export function sent(capacity: number, count: number): [tx: BroadcastSender<number>, rx: BroadcastReceiver<number>] {
  const channel = broadcast<number>(capacity);
  for (let n = 1; n <= count; n++) channel[0].send(n);
  return channel;
}

/** Waits for one run of the event loop: every promise that can settle by then has settled. */
export function runEventLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Returns the current state of a promise: its value, `{ error }`, or `'pending'`. */
export async function now(promise: Promise<unknown>): Promise<unknown> {
  const outcome = promise.then(
    (value) => value,
    (error: unknown) => ({ error }),
  );
  return Promise.race([outcome, runEventLoop().then(() => 'pending')]);
}

/** Parks a waiter that calls `wake`, as a `select` would. */
export function park(on: Source<unknown>, wake: (protocol: SourceProtocol<unknown>) => void): Waiter {
  const protocol = on[source];
  const waiter: Waiter = { next: undefined, prev: undefined, owner: undefined, wake: () => wake(protocol) };
  expect(protocol.poll(), 'a source is polled before it is parked on').toBe(PENDING);
  protocol.park(waiter);
  return waiter;
}
