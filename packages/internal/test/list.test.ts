import { append, type Chain, type Link, remove, removeInner } from '@quiesce/internal';
import { expect, test } from 'vitest';

interface Item extends Link<Item> {
  readonly name: string;
}
const item = (name: string): Item => ({ name, next: undefined, prev: undefined });

function chainOf(...items: Item[]): Chain<Item> {
  const chain: Chain<Item> = { head: undefined };
  for (const each of items) append(chain, each);
  return chain;
}

/** Returns the names forwards; fails unless backwards gives the same. */
function names({ head }: Chain<Item>): string {
  if (head === undefined) return '';
  const forwards: Item[] = [];
  const backwards: Item[] = [];
  for (let at = head; forwards.length === 0 || at !== head; at = at.next as Item) forwards.push(at);
  for (let at = head.prev as Item; backwards.length < forwards.length; at = at.prev as Item) backwards.unshift(at);
  expect(backwards.map(({ name }) => name)).toEqual(forwards.map(({ name }) => name));
  return forwards.map(({ name }) => name).join('');
}

test('append adds an item at the end', () => {
  const chain = chainOf();
  expect([chain.head, names(chain)]).toEqual([undefined, '']);
  for (const [name, whole] of [
    ['a', 'a'],
    ['b', 'ab'],
    ['c', 'abc'],
  ] as const) {
    append(chain, item(name));
    expect(names(chain)).toBe(whole);
  }
});

test.each([
  [0, 'bcd'],
  [1, 'acd'],
  [3, 'abc'],
])('remove removes item %i, at any position', (index, left) => {
  const items = ['a', 'b', 'c', 'd'].map(item);
  const chain = chainOf(...items);
  const removed = items[index] as Item;
  remove(chain, removed);
  expect(names(chain)).toBe(left);
  expect([removed.next, removed.prev]).toEqual([undefined, undefined]);
  append(chain, removed);
  expect(names(chain)).toBe(left + removed.name);
});

test('removing the last item leaves an empty list', () => {
  const only = item('a');
  const chain = chainOf(only);
  remove(chain, only);
  expect([chain.head, only.next, only.prev]).toEqual([undefined, undefined, undefined]);
});

test('removeInner removes an item from between its neighbours', () => {
  const [a, b, c] = [item('a'), item('b'), item('c')];
  const chain = chainOf(a, b, c);
  removeInner(b);
  expect(names(chain)).toBe('ac');
  expect([b.next, b.prev]).toEqual([undefined, undefined]);
});
