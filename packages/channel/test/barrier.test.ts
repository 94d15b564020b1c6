import { inspect } from 'node:util';
import { CancellationToken, TimeoutError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { Barrier } from '@quiesce/channel';
import { select } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { isPending, now, park, rejection, runEventLoop, take, unpark } from './vocabulary.ts';

describe('a barrier', () => {
  it('makes all tasks wait until the last one arrives, which is the leader, and then starts a new round', async () => {
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

  it('makes no task wait when it counts none or one', () => {
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
    await runEventLoop();
    await clock.advance(5);
    expect(await byTime).toBeInstanceOf(TimeoutError);
    expect(isPending(barrier.wait())).toBe(true);
  });

  it('does not count an arrival that has lost in select', async () => {
    const barrier = new Barrier(2);
    const stop = new CancellationToken();
    const lost = select({ passed: barrier.wait(), stop });
    await runEventLoop();
    stop.cancel();
    await lost;
    expect(isPending(barrier.wait())).toBe(true);
  });

  it('counts an arrival once, however many waits it has', async () => {
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

  it('gives every arrival its answer before it wakes the first one', () => {
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

  it('reports and prints the number of tasks that have arrived', () => {
    const barrier = new Barrier(3);
    park(barrier.wait());
    expect([barrier.arrivedCount, barrier.partyCount]).toEqual([1, 3]);
    expect(inspect(barrier)).toBe('Barrier { arrivedCount: 1, partyCount: 3 }');
  });

  it('refuses an invalid number of tasks', () => {
    for (const count of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => new Barrier(count)).toThrow(RangeError);
    }
    expect(() => new Barrier('1' as never)).toThrow(TypeError);
  });
});
