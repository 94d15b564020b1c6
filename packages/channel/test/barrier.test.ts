import { inspect } from 'node:util';
import { CancellationToken, TimeoutError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { Barrier } from '@quiesce/channel';
import { select } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { isPending, now, park, rejection, take, turn, unpark } from './vocabulary.ts';

describe('a barrier', () => {
  it('holds everybody until the last one arrives, who is the leader, and begins anew', async () => {
    const barrier = new Barrier(3);
    for (let round = 0; round < 3; round++) {
      const [first, second] = [now(barrier.wait()), barrier.wait().then(({ isLeader }) => isLeader)];
      expect(await first).toBe('pending');
      expect([(await barrier.wait()).isLeader, await second]).toEqual([true, false]);
    }
  });

  it('wakes the waiters in the order of their arrival', async () => {
    const barrier = new Barrier(4);
    const log: number[] = [];
    await Promise.all([1, 2, 3, 4].map((name) => barrier.wait().then(() => log.push(name))));
    expect(log.slice(0, 3)).toEqual([1, 2, 3]);
  });

  it('does not hold anybody when it counts none or one', () => {
    for (const count of [0, 1]) {
      const barrier = new Barrier(count);
      expect([take(barrier.wait()), take(barrier.wait())]).toEqual([{ isLeader: true }, { isLeader: true }]);
    }
  });

  it('does not count an arrival that was given up', async () => {
    const clock = new VirtualClock();
    const barrier = new Barrier(2);
    const token = new CancellationToken();
    const byToken = rejection(barrier.wait({ signal: token }));
    token.cancel('enough');
    expect(await byToken).toBe('enough');
    const byTime = rejection(barrier.wait({ timeout: 5, clock }));
    await turn();
    await clock.advance(5);
    expect(await byTime).toBeInstanceOf(TimeoutError);
    expect(isPending(barrier.wait())).toBe(true);
  });

  it('does not count an arrival that has lost in select', async () => {
    const barrier = new Barrier(2);
    const stop = new CancellationToken();
    const lost = select({ passed: barrier.wait(), stop });
    await turn();
    stop.cancel();
    await lost;
    expect(isPending(barrier.wait())).toBe(true);
  });

  it('counts an arrival once, however many wait for it', async () => {
    const barrier = new Barrier(3);
    const shared = barrier.wait();
    const both = now(Promise.all([shared, shared]));
    expect(await now(barrier.wait())).toBe('pending');
    expect((await barrier.wait()).isLeader).toBe(true);
    expect(await both).toBe('pending');
    expect(await Promise.all([shared, shared])).toEqual([{ isLeader: false }, { isLeader: false }]);
  });

  it('is passed when both arrivals are branches of one select', async () => {
    const barrier = new Barrier(2);
    expect(await now(select({ one: barrier.wait(), two: barrier.wait() }))).toMatchObject({ value: {} });
  });

  it('gives everybody an answer before it wakes the first one', () => {
    const barrier = new Barrier(3);
    const [one, two] = [barrier.wait(), barrier.wait()];
    const log: unknown[] = [];
    park(one, () => log.push(take(two), isPending(barrier.wait())));
    const parked = park(two);
    expect(take(barrier.wait())).toEqual({ isLeader: true });
    expect(log).toEqual([{ isLeader: false }, true]);
    unpark(two, parked);
    expect(take(two)).toEqual({ isLeader: false });
  });

  it('says and prints how many have arrived', () => {
    const barrier = new Barrier(3);
    park(barrier.wait());
    expect([barrier.arrivedCount, barrier.count]).toEqual([1, 3]);
    expect(inspect(barrier)).toBe('Barrier { arrivedCount: 1, count: 3 }');
  });

  it('refuses a number of tasks that is none', () => {
    for (const count of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, '1' as never]) {
      expect(() => new Barrier(count)).toThrow(RangeError);
    }
  });
});
