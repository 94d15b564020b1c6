// A call that is stored and passed to several selects, and fails in one of them.
import { broadcast } from '@quiesce/broadcast-channel';
import { CancellationToken } from '@quiesce/cancellation-token';
import { channel } from '@quiesce/channel';
import { select, settle, timeout } from '@quiesce/select';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rejection, turn } from './vocabulary.ts';

const unhandled: unknown[] = [];
const note = (error: unknown): void => void unhandled.push(error);
beforeEach(() => {
  unhandled.length = 0;
  process.on('unhandledRejection', note);
});
afterEach(() => void process.off('unhandledRejection', note));

type Kept = Promise<unknown> & Parameters<typeof settle>[0];

const calls: Record<string, () => { readonly call: Kept; fail(): void }> = {
  'the receive of a closed channel': () => {
    const [tx, rx] = channel<number>(2);
    return { call: rx.recv(), fail: () => tx.close() };
  },
  'the receive of a closed broadcast channel': () => {
    const [tx, rx] = broadcast<number>(2);
    return { call: rx.recv(), fail: () => tx.close() };
  },
  'a receive whose signal is cancelled': () => {
    const [, rx] = channel<number>(2);
    const signal = new CancellationToken();
    return { call: rx.recv({ signal }), fail: () => signal.cancel(new Error('stop')) };
  },
};

const looks: Record<string, (call: Kept) => Promise<unknown>> = {
  awaited: (call) => rejection(call),
  caught: (call) => call.catch((error: unknown) => error),
  'the branch of another select': (call) => rejection(select({ call })),
  'a branch in settle': async (call) => {
    const { value } = await select({ call: settle(call) });
    return (value as { readonly reason?: unknown }).reason;
  },
  'given a time': (call) => rejection(timeout(1_000, call)),
};

describe.each(Object.entries(calls))('%s', (_, open) => {
  it.each(Object.entries(looks))('rejects again when it is %s after the select', async (_, look) => {
    const { call, fail } = open();
    expect((await select({ call, now: Promise.resolve() })).branch).toBe('now');
    fail();
    const error = await rejection(select({ call }));
    expect(error).toBeInstanceOf(Error);
    expect(await look(call)).toBe(error);
    expect(await look(call)).toBe(error);
    await turn();
    expect(unhandled).toEqual([]);
  });
});

it('rejects for each of its waiters', async () => {
  const [tx, rx] = channel<number>(2);
  const call = rx.recv();
  await select({ call, now: Promise.resolve() });
  const seen = Promise.all([rejection(call), rejection(call.finally(() => {})), rejection(select({ call }))]);
  tx.close();
  const errors = await seen;
  expect(errors[0]).toMatchObject({ name: 'ClosedError' });
  expect(errors).toEqual([errors[0], errors[0], errors[0]]);
});
