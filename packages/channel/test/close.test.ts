import { channel, oneshot, unboundedChannel, watch } from '@quiesce/channel';
import { describe, expect, it } from 'vitest';

describe('isClosed of a handle that was closed itself', () => {
  it.each([
    ['a sender', () => channel<number>(1)[0]],
    ['an unbounded sender', () => unboundedChannel<number>()[0]],
    ['a oneshot sender', () => oneshot<number>()[0]],
    ['a watch sender', () => watch(1)[0]],
  ])('of %s is true: it can send no more', (_, open) => {
    const tx = open();
    tx.close();
    expect(tx.isClosed).toBe(true);
  });

  it('of a watch receiver is true: it gets no more values', () => {
    const [, rx] = watch(1);
    rx.dispose();
    expect(rx.isClosed).toBe(true);
  });
});
