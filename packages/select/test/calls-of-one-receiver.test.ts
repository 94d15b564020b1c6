// Several calls of one receiver as branches of one select: no value is lost, and the order stays.
import { broadcast } from '@quiesce/broadcast-channel';
import { channel } from '@quiesce/channel';
import { match, select, trySelect } from '@quiesce/select';
import { describe, expect, it } from 'vitest';

interface Receiver {
  recv(): PromiseLike<number>;
  tryRecv(): { readonly ok: boolean; readonly value?: number };
}

const receivers: Record<string, () => Receiver> = {
  channel: () => {
    const [tx, rx] = channel<number>(8);
    for (const value of [1, 2, 3, 4]) tx.trySend(value);
    return rx as Receiver;
  },
  broadcast: () => {
    const [tx, rx] = broadcast<number>(8);
    for (const value of [1, 2, 3, 4]) tx.send(value);
    return rx as Receiver;
  },
};

const shapes: Record<string, (rx: Receiver) => unknown> = {
  'two calls': (rx) => select.biased({ a: rx.recv(), b: rx.recv() }),
  'two calls, the second one first': (rx) => select({ a: rx.recv(), b: rx.recv() }, { random: () => 0.9 }),
  'three calls, one in a pattern': (rx) => select.biased({ a: match(rx.recv() as never), b: rx.recv(), c: rx.recv() }),
  'two calls and a refused branch': (rx) =>
    select({ a: rx.recv(), b: rx.recv(), c: 5 as never }).catch(() => ({ value: undefined })),
  'trySelect of two calls': (rx) => trySelect.biased({ a: rx.recv() as never, b: rx.recv() as never }),
};

describe.each(Object.entries(receivers))('%s', (_, open) => {
  it.each(Object.entries(shapes))(
    '%s: the winner has the first value, and the other values stay in the receiver',
    async (shape, run) => {
      const rx = open();
      const outcome = (await run(rx)) as { readonly value: number | undefined };
      const left: (number | undefined)[] = [];
      for (let next = rx.tryRecv(); next.ok; next = rx.tryRecv()) left.push(next.value);
      const all = shape.includes('refused') ? left : [outcome.value, ...left];
      expect(all).toEqual([1, 2, 3, 4]);
    },
  );
});
