import { getEventListeners } from 'node:events';
import { broadcast } from '@quiesce/broadcast-channel';
import { CancellationToken, PENDING, source } from '@quiesce/cancellation-token';
import { describe, expect, it } from 'vitest';
import { expectEmpty, expectLagged, expectValues, now } from './vocabulary.ts';

describe('recv', () => {
  it('takes a value that was sent before, inside the call', async () => {
    const [tx, rx] = broadcast<number>(4);
    tx.send(1);
    const got = rx.recv();
    expectEmpty(rx);
    expect(await got).toBe(1);
  });

  it('waits for a later value, and takes it inside the send', async () => {
    const [tx, rx] = broadcast<number>(4);
    const got = rx.recv();
    expect(await now(got)).toBe('pending');
    tx.send(1);
    expectEmpty(rx);
    expect(await got).toBe(1);
  });

  it('does not lag while it waits when a hundred more values are sent in the same run (Tokio: it would)', async () => {
    const [tx, rx] = broadcast<number>(2);
    const got = rx.recv();
    for (let n = 1; n <= 101; n++) tx.send(n);
    expect(await got).toBe(1);
    expectLagged(rx, 98);
    expectValues(rx, 100, 101);
  });

  it('serves receives that wait on one receiver first come, first served, one value each', async () => {
    const [tx, rx] = broadcast<string>(8);
    const order: number[] = [];
    const waiting = [0, 1, 2].map((i) => rx.recv().finally(() => order.push(i)));
    tx.send('a');
    tx.send('b');
    tx.send('c');
    expect(await Promise.all(waiting)).toEqual(['a', 'b', 'c']);
    expect(order).toEqual([0, 1, 2]);
  });

  it('waits behind the receives that wait already', async () => {
    const [tx, rx] = broadcast<string>(8);
    const first = rx.recv();
    tx.send('a');
    const second = rx.recv();
    const third = rx.recv();
    tx.send('b');
    expect(await Promise.all([first, second])).toEqual(['a', 'b']);
    expect(await now(third)).toBe('pending');
  });

  it('wakes every receiver that waits, and no other', async () => {
    const [tx, a] = broadcast<number>(4);
    const b = tx.subscribe();
    const idle = tx.subscribe();
    const waiting = [a.recv(), b.recv()];
    tx.send(1);
    expect(await Promise.all(waiting)).toEqual([1, 1]);
    expect(idle.length).toBe(1);
  });

  it('settles in order when one receive fails and the next does not', async () => {
    const [tx, rx] = broadcast<number>(1);
    tx.send(1);
    tx.send(2);
    const order: string[] = [];
    await Promise.allSettled(['first', 'second'].map((name) => rx.recv().finally(() => order.push(name))));
    expect(order).toEqual(['first', 'second']);
  });
});

describe('recv with a signal', () => {
  const kinds = [
    { kind: 'a token', make: () => tokenPair() },
    { kind: 'the signal of a token', make: () => signalOfTokenPair() },
    { kind: 'a foreign AbortSignal', make: () => foreignPair() },
  ];

  describe.each(kinds)('that is $kind', ({ make }) => {
    it('consumes nothing when it is cancelled before the call, even when there is a value', async () => {
      const [tx, rx] = broadcast<number>(4);
      const { signal, cancel } = make();
      tx.send(1);
      cancel('too late');
      await expect(rx.recv({ signal })).rejects.toBe('too late');
      expectValues(rx, 1);
    });

    it('rejects with the reason, verbatim, when it is cancelled while it waits, and leaves the queue', async () => {
      const [tx, rx] = broadcast<number>(4);
      const { signal, cancel } = make();
      const reason = { why: 'deploy' };
      const given = rx.recv({ signal });
      const kept = rx.recv();
      cancel(reason);
      await expect(given).rejects.toBe(reason);
      tx.send(1);
      expect(await kept).toBe(1);
      expectEmpty(rx);
    });

    it('keeps the value when it is cancelled in the run in which the value was sent', async () => {
      const [tx, rx] = broadcast<number>(4);
      const { signal, cancel } = make();
      const got = rx.recv({ signal });
      tx.send(1);
      cancel('a moment too late');
      expect(await got).toBe(1);
    });

    it('keeps the cancellation when a value is sent in the same run', async () => {
      const [tx, rx] = broadcast<number>(4);
      const { signal, cancel } = make();
      const got = rx.recv({ signal });
      cancel('first');
      tx.send(1);
      await expect(got).rejects.toBe('first');
      expectValues(rx, 1);
    });

    it('has no effect after the receive has taken its value', async () => {
      const [tx, rx] = broadcast<number>(4);
      const { signal, cancel } = make();
      tx.send(1);
      expect(await rx.recv({ signal })).toBe(1);
      const next = rx.recv();
      cancel('too late');
      expect(await now(next)).toBe('pending');
    });
  });

  it('leaves no listener on a foreign signal, however the receive ends', async () => {
    const [tx, rx] = broadcast<number>(4);
    const { signal } = new AbortController();
    const got = rx.recv({ signal });
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    tx.send(1);
    await got;
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    const closed = rx.recv({ signal });
    tx.close();
    await closed.catch(() => {});
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  it('sees a token that is cancelled but whose signal has not fired yet', async () => {
    const [tx, rx] = broadcast<number>(4);
    const token = new CancellationToken();
    let got: Promise<number> | undefined;
    token.onCancelled(() => {
      got = rx.recv({ signal: token.signal });
    });
    expect(token.signal.aborted).toBe(false);
    tx.send(1);
    token.cancel('marked');
    await expect(got).rejects.toBe('marked');
    expectValues(rx, 1);
  });

  it('rejects with a TypeError, and consumes nothing, when it is not a signal', async () => {
    const [tx, rx] = broadcast<number>(4);
    tx.send(1);
    const wrong = rx.recv({ signal: new AbortController() as never });
    await expect(wrong).rejects.toBeInstanceOf(TypeError);
    expectValues(rx, 1);
  });
});

describe('a receiver as a source', () => {
  it('gives its value to a poll, and is pending when there is none', () => {
    const [tx, rx] = broadcast<number>(4);
    expect(rx[source].poll()).toBe(PENDING);
    tx.send(1);
    expect(rx[source].poll()).toBe(1);
    expect(rx[source].poll()).toBe(PENDING);
  });

  it('throws at a poll when there is an error in place of a value', () => {
    const [tx, rx] = broadcast<number>(1);
    tx.send(1);
    tx.send(2);
    expect(() => rx[source].poll()).toThrow('missed 1');
    expect(rx[source].poll()).toBe(2);
    tx.close();
    expect(() => rx[source].poll()).toThrow('closed and drained');
  });
});

function tokenPair() {
  const token = new CancellationToken();
  return { signal: token, cancel: (reason: unknown) => token.cancel(reason) };
}

function signalOfTokenPair() {
  const token = new CancellationToken();
  return { signal: token.signal, cancel: (reason: unknown) => token.cancel(reason) };
}

function foreignPair() {
  const controller = new AbortController();
  return { signal: controller.signal, cancel: (reason: unknown) => controller.abort(reason) };
}

describe('a recv whose token is disposed', () => {
  it('keeps waiting on the parent of that token', async () => {
    const [tx, rx] = broadcast<number>(4);
    const parent = new CancellationToken();
    const child = parent.childToken();
    const got = rx.recv({ signal: child });
    child.dispose();
    parent.cancel('the parent');
    await expect(got).rejects.toBe('the parent');
    tx.send(1);
    expectValues(rx, 1);
  });
});
