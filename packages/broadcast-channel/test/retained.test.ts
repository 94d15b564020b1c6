import { broadcast } from '@quiesce/broadcast-channel';
import { retained } from '@quiesce/broadcast-channel/testing';
import { expect, it } from 'vitest';
import { expectLagged, expectValues, sent } from './vocabulary.ts';

it('retained returns the values that a receiver has yet to read, oldest first', () => {
  const [tx, slow] = broadcast<number>(4);
  const fast = tx.subscribe();
  for (const n of [1, 2, 3]) tx.send(n);
  expectValues(fast, 1, 2, 3);
  expectValues(slow, 1);
  expect(retained(tx)).toEqual([2, 3]);
  slow.dispose();
  expect(retained(tx)).toEqual([]);
});

it('retained returns no more than the channel keeps, before and after the lag is reported', () => {
  const [tx, rx] = sent(2, 5);
  expect(retained(tx)).toEqual([4, 5]);
  expectLagged(rx, 3);
  expect(retained(tx)).toEqual([4, 5]);
  tx.close();
  expect(retained(rx)).toEqual([4, 5]);
  expectValues(rx, 4, 5);
  expect(retained(rx)).toEqual([]);
});

it('retained accepts any handle, and returns a copy', () => {
  const [tx, rx] = sent(4, 2);
  const weak = tx.downgrade();
  const copy = retained(weak);
  copy.pop();
  for (const handle of [tx, weak, rx]) expect(retained(handle)).toEqual([1, 2]);
});

it('retained includes values that are undefined', () => {
  const [tx] = broadcast<undefined>(4);
  tx.send(undefined);
  expect(retained(tx)).toEqual([undefined]);
});
