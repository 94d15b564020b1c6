import {
  PENDING,
  type Source,
  type SourceProtocol,
  source,
  type Tried,
  type Waiter,
} from '@quiesce/cancellation-token';
import type { Receiver } from '@quiesce/channel';
import { expect } from 'vitest';

/** Expects the next values, in order. */
export function expectValues<T>(rx: Receiver<T>, ...values: readonly T[]): void {
  for (const value of values) expect(rx.tryRecv()).toEqual({ ok: true, value });
}

export function expectEmpty(rx: { tryRecv(): unknown }): void {
  expect(rx.tryRecv()).toEqual({ ok: false, why: 'empty' });
}

export function expectClosed(rx: { tryRecv(): unknown }): void {
  expect(rx.tryRecv()).toEqual({ ok: false, why: 'closed' });
}

/** Returns the value of a try; fails when there is none. */
export function unwrap<T>(tried: Tried<T, string>): T {
  if (!tried.ok) throw new Error(`expected a value, got ${JSON.stringify(tried)}`);
  return tried.value;
}

/** Waits for two runs of the event loop: every promise that can settle has settled, even one that yielded for fairness. */
export async function runEventLoop(): Promise<void> {
  for (let i = 0; i < 2; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Returns the current state of a promise: its value, `{ error }`, or `'pending'`. */
export function now(promise: PromiseLike<unknown>): Promise<unknown> {
  const outcome = promise.then(
    (value) => value,
    (error: unknown) => ({ error }),
  );
  return Promise.race([outcome, runEventLoop().then(() => 'pending')]);
}

/** Returns the error that a promise rejects with. Fails when it fulfils. */
export async function rejection(promise: PromiseLike<unknown>): Promise<unknown> {
  const result = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ('error' in result) return result.error;
  throw new Error(`expected a rejection, got the value ${String(result.value)}`);
}

/** Makes a waiter that calls `wake`, as a `select` does. */
export function waiter(wake: () => void = () => {}): Waiter {
  return { next: undefined, prev: undefined, owner: undefined, wake };
}

/** Polls, and parks a waiter that calls `wake`. */
export function park<T>(on: Source<T>, wake: (protocol: SourceProtocol<T>) => void = () => {}): Waiter {
  const protocol = on[source];
  const parked = waiter(() => wake(protocol));
  expect(protocol.poll(), 'a source is polled before it is parked on').toBe(PENDING);
  protocol.park(parked);
  return parked;
}

export function unpark(from: Source<unknown>, parked: Waiter): void {
  from[source].unpark(parked);
}

/** Takes a value that is ready. Fails when there is none. */
export function take<T>(from: Source<T>): T {
  const value = from[source].poll();
  if (value === PENDING) throw new Error('expected something to be ready');
  return value;
}

export function isPending(from: Source<unknown>): boolean {
  return from[source].poll() === PENDING;
}
