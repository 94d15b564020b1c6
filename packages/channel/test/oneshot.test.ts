import { CancellationToken, ClosedError, TimeoutError } from '@quiesce/cancellation-token';
import { oneshot } from '@quiesce/channel';
import { select } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { expectClosed, expectEmpty, now, rejection, runEventLoop } from './vocabulary.ts';

describe('a oneshot', () => {
  it('gives the value to every await, before or after it is sent', async () => {
    const [tx, rx] = oneshot<number>();
    const before = rx.then((value) => value);
    expect(await now(before)).toBe('pending');
    expectEmpty(rx);
    expect(tx.send(1)).toBe(true);
    expect([await before, await rx, await rx]).toEqual([1, 1, 1]);
    expect(rx.tryRecv()).toEqual({ ok: true, value: 1 });
  });

  it('carries undefined like any other value', async () => {
    const [tx, rx] = oneshot<undefined>();
    tx.send(undefined);
    expect(rx.tryRecv()).toEqual({ ok: true, value: undefined });
    expect(await rx).toBeUndefined();
  });

  it('is a branch of select that loses nothing when it loses', async () => {
    const [tx, rx] = oneshot<string>();
    const stop = CancellationToken.alreadyCancelled();
    expect((await select.biased({ stop, rx })).branch).toBe('stop');
    const waiting = select({ rx, never: new CancellationToken() });
    tx.send('here');
    expect(await waiting).toEqual({ branch: 'rx', value: 'here' });
  });

  it('sends once', () => {
    const [tx, rx] = oneshot<number>();
    tx.send(1);
    expect(() => tx.send(2)).toThrow(ClosedError);
    expect(rx.tryRecv()).toEqual({ ok: true, value: 1 });
    tx.close();
    expect(rx.tryRecv()).toEqual({ ok: true, value: 1 });
  });

  it('fails when the sender is closed without having sent', async () => {
    const [tx, rx] = oneshot<number>();
    const waiting = rejection(rx);
    await runEventLoop();
    {
      using _ = tx;
    }
    expect(await waiting).toBeInstanceOf(ClosedError);
    expect(await rejection(rx)).toBeInstanceOf(ClosedError);
    expectClosed(rx);
    expect(() => tx.send(1)).toThrow(ClosedError);
  });

  it('reports to the sender that the receiver is closed, and the sender keeps its value', async () => {
    const [tx, rx] = oneshot<object>();
    const closing = select({ gone: tx.closed() });
    const waiting = rejection(rx);
    await runEventLoop();
    expect(tx.isClosed).toBe(false);
    rx.close();
    rx.close();
    expect((await closing).branch).toBe('gone');
    await tx.closed();
    expect(await waiting).toBeInstanceOf(ClosedError);
    expect([tx.isClosed, tx.send({})]).toEqual([true, false]);
    expectClosed(rx);
  });

  it('keeps a value that was sent before the receiver closed', async () => {
    const [tx, rx] = oneshot<number>();
    tx.send(1);
    rx.close();
    expect(await rx).toBe(1);
  });

  it('can be given up', async () => {
    const [tx, rx] = oneshot<number>();
    const token = new CancellationToken();
    const given = rejection(rx.recv({ signal: token }));
    token.cancel('enough');
    expect(await given).toBe('enough');
    expect(await rejection(rx.recv({ timeout: 0 }))).toBeInstanceOf(TimeoutError);
    expect(await rejection(rx.recv({ timeout: -1 }))).toBeInstanceOf(RangeError);
    tx.send(1);
    expect(await rx.recv({ timeout: 0 })).toBe(1);
  });

  it('refuses a thenable, and can then send another value', async () => {
    const [tx, rx] = oneshot<object>();
    expect(() => tx.send(Promise.resolve() as never)).toThrow(TypeError);
    tx.send({ fine: true });
    expect(await rx).toEqual({ fine: true });
  });
});

it('reports whether a value was sent', async () => {
  const [reply, answer] = oneshot<string>();
  expect(answer.isEmpty).toBe(true);
  reply.send('yes');
  expect([answer.isEmpty, await answer, answer.isEmpty]).toEqual([false, 'yes', false]);
  const [unused, nothing] = oneshot<string>();
  unused.close();
  expect(nothing.isEmpty).toBe(true);
});
