import { createWaiter, type Parked, parkOn, unparkFrom, type WaiterList, wakeAll } from '@quiesce/internal';
import { expect, test } from 'vitest';

function logging(log: string[], name: string, then?: () => void): Parked {
  return createWaiter(() => {
    log.push(name);
    then?.();
  });
}
const list = (): WaiterList => ({ head: undefined });

test('all parked waiters are woken once, unparked, in the order of parking', () => {
  const log: string[] = [];
  const waiting = list();
  const first = logging(log, 'first', () => log.push(String(first.owner)));
  for (const each of [first, logging(log, 'second')]) parkOn(waiting, each);
  wakeAll(waiting);
  wakeAll(waiting);
  expect(log).toEqual(['first', 'undefined', 'second']);
  expect(waiting.head).toBeUndefined();
});

test('parking twice keeps the position', () => {
  const log: string[] = [];
  const waiting = list();
  const first = logging(log, 'first');
  for (const each of [first, logging(log, 'second'), first]) parkOn(waiting, each);
  wakeAll(waiting);
  expect(log).toEqual(['first', 'second']);
});

test('a waiter that is parked elsewhere is refused, and left alone by unpark', () => {
  const log: string[] = [];
  const [here, elsewhere] = [list(), list()];
  const parked = logging(log, 'woken');
  parkOn(elsewhere, parked);
  expect(() => parkOn(here, parked)).toThrow(TypeError);
  expect([unparkFrom(here, parked), parked.owner === elsewhere]).toEqual([false, true]);
  expect([unparkFrom(elsewhere, parked), unparkFrom(elsewhere, parked)]).toEqual([true, false]);
  wakeAll(elsewhere);
  expect(log).toEqual([]);
});

test('a waiter that another wake-up unparks is not woken', () => {
  const log: string[] = [];
  const waiting = list();
  const second = logging(log, 'second');
  for (const each of [logging(log, 'first', () => unparkFrom(waiting, second)), second, logging(log, 'third')]) {
    parkOn(waiting, each);
  }
  wakeAll(waiting);
  expect(log).toEqual(['first', 'third']);
});

test('a waiter that parks again inside its wake-up is woken once, and stays parked', () => {
  const log: string[] = [];
  const waiting = list();
  const again = logging(log, 'again', () => parkOn(waiting, again));
  for (const each of [again, logging(log, 'other')]) parkOn(waiting, each);
  wakeAll(waiting);
  expect(log).toEqual(['again', 'other']);
  expect(waiting.head).toBe(again);
});

test('waking all inside a wake-up wakes each once, including those that parked during it', () => {
  const log: string[] = [];
  const waiting = list();
  const late = logging(log, 'late');
  const first = logging(log, 'first', () => {
    parkOn(waiting, late);
    wakeAll(waiting);
  });
  for (const each of [first, logging(log, 'second')]) parkOn(waiting, each);
  wakeAll(waiting);
  expect(log).toEqual(['first', 'second', 'late']);
  expect(waiting.head).toBeUndefined();
});
