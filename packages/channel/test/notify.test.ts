import { inspect } from 'node:util';
import { CancellationToken, PENDING, source, TimeoutError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { type Notified, Notify } from '@quiesce/channel';
import { select } from '@quiesce/select';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isPending, now, park, rejection, runEventLoop, unpark } from './vocabulary.ts';

describe('notifyOne', () => {
  it('wakes the waiters in the order in which they wait', async () => {
    const notify = new Notify();
    const log: string[] = [];
    const waits = ['a', 'b', 'c'].map((name) => notify.notified().then(() => log.push(name)));
    await runEventLoop();
    for (const expected of [['a'], ['a', 'b'], ['a', 'b', 'c']]) {
      notify.notifyOne();
      await runEventLoop();
      expect(log).toEqual(expected);
    }
    await Promise.all(waits);
  });

  it('stores one notification, and no more, when nothing waits', async () => {
    const notify = new Notify();
    notify.notifyOne();
    notify.notifyOne();
    expect(await now(notify.notified())).toBeUndefined();
    expect(await now(notify.notified())).toBe('pending');
  });

  it('gives a waiter one notification for each call, also inside a wake-up', () => {
    const notify = new Notify();
    const [first, second] = [notify.notified(), notify.notified()];
    const log: string[] = [];
    park(first, (protocol) => {
      notify.notifyOne();
      log.push(`first ${String(protocol.poll())}`);
    });
    park(second, (protocol) => log.push(`second ${String(protocol.poll())}`));
    notify.notifyOne();
    expect(log).toEqual(['first undefined', 'second undefined']);
    expect(isPending(notify.notified())).toBe(true);
  });

  it('does not overflow the stack when each of 20,000 waiters notifies the next one', () => {
    const notify = new Notify();
    let woken = 0;
    for (let i = 0; i < 20_000; i++) {
      park(notify.notified(), (protocol) => {
        protocol.poll();
        woken++;
        notify.notifyOne();
      });
    }
    notify.notifyOne();
    expect(woken).toBe(20_000);
  });
});

describe('a notification that nothing takes', () => {
  it('goes to the next waiter, in the direction in which it was given', () => {
    for (const [give, expected] of [['notifyOne', 'b'] as const, ['notifyLast', 'a'] as const]) {
      const notify = new Notify();
      const log: string[] = [];
      for (const name of give === 'notifyOne' ? ['idle', 'b', 'c'] : ['c', 'a', 'idle']) {
        park(notify.notified(), (protocol) => name !== 'idle' && protocol.poll() === undefined && log.push(name));
      }
      notify[give]();
      expect(log).toEqual([expected]);
    }
  });

  it('is stored when there is no other waiter', () => {
    const notify = new Notify();
    park(notify.notified());
    notify.notifyOne();
    expect([isPending(notify.notified()), isPending(notify.notified())]).toEqual([false, true]);
  });

  it('of notifyWaiters is not passed on', () => {
    const notify = new Notify();
    park(notify.notified());
    notify.notifyWaiters();
    expect(isPending(notify.notified())).toBe(true);
  });

  it('is passed on when its select has taken another branch in the same step', async () => {
    const notify = new Notify();
    const stop = new CancellationToken();
    const lost = select.biased({ stop, ready: notify.notified() });
    const next = notify.notified().then(() => 'next');
    await runEventLoop();
    stop.cancel('stop');
    notify.notifyOne();
    expect(await lost).toEqual({ branch: 'stop', value: 'stop' });
    expect(await next).toBe('next');
  });
});

describe('notifyWaiters', () => {
  it('completes every wait that was made before, and none that is made later', async () => {
    const notify = new Notify();
    const waiting = notify.notified().then(() => 'woken');
    const made = notify.notified();
    await runEventLoop();
    notify.notifyWaiters();
    const later = notify.notified();
    expect(await waiting).toBe('woken');
    expect(await now(made)).toBeUndefined();
    expect(await now(later)).toBe('pending');
  });

  it('does not wake a waiter that joins inside a wake-up', () => {
    const notify = new Notify();
    let isLateWoken = false;
    park(notify.notified(), (protocol) => {
      protocol.poll();
      park(notify.notified(), () => {
        isLateWoken = true;
      });
    });
    notify.notifyWaiters();
    expect(isLateWoken).toBe(false);
  });
});

describe('a wait for a notification', () => {
  it('can be given up by signal and by time, and then takes nothing', async () => {
    const clock = new VirtualClock();
    const notify = new Notify();
    const token = new CancellationToken();
    const byToken = rejection(notify.notified({ signal: token }));
    const byTime = rejection(notify.notified({ timeout: 5, clock }));
    await runEventLoop();
    token.cancel('enough');
    await clock.advance(5);
    expect(await byToken).toBe('enough');
    expect(await byTime).toBeInstanceOf(TimeoutError);
    notify.notifyOne();
    expect(isPending(notify.notified())).toBe(false);
  });

  it('stays ready after it was ready once', async () => {
    const notify = new Notify();
    const ready = notify.notified();
    notify.notifyOne();
    await ready;
    await ready;
    expect(isPending(notify.notified())).toBe(true);
  });

  it('completes for all waits on the same object', async () => {
    const notify = new Notify();
    const shared = notify.notified();
    const both = Promise.all([shared, shared]);
    await runEventLoop();
    notify.notifyOne();
    await both;
    expect(isPending(notify.notified())).toBe(true);
  });

  it('is counted, and printed with the stored notification', () => {
    const notify = new Notify();
    const parked = [notify.notified(), notify.notified(), notify.notified()].map((wait) => [wait, park(wait)] as const);
    expect(inspect(notify)).toBe('Notify { waiterCount: 3, isNotified: false }');
    expect(inspect(parked[0]?.[0])).toBe('Notified { isEnabled: false }');
    for (const [wait, waiter] of parked) unpark(wait, waiter);
    notify.notifyOne();
    expect(inspect(notify)).toBe('Notify { waiterCount: 0, isNotified: true }');
  });

  it('refuses an invalid signal and an invalid time at the call', () => {
    const notify = new Notify();
    expect(() => notify.notified({ signal: new AbortController() as never })).toThrow(TypeError);
    expect(() => notify.notified({ timeout: -1 })).toThrow(RangeError);
  });
});

describe('enable', () => {
  it('keeps a notification for a wait that has not started', () => {
    const notify = new Notify();
    const [enabled, other] = [notify.notified(), notify.notified()];
    expect(enabled.enable()).toBe(false);
    notify.notifyOne();
    expect(isPending(other)).toBe(true);
    expect(enabled.enable()).toBe(true);
    expect(isPending(enabled)).toBe(false);
  });

  it('passes the notification on when it is disposed unused, and not when it was used', async () => {
    const notify = new Notify();
    {
      using unused = notify.notified();
      unused.enable();
      notify.notifyOne();
    }
    expect(isPending(notify.notified())).toBe(false);
    {
      using used = notify.notified();
      used.enable();
      notify.notifyOne();
      await used;
    }
    expect(isPending(notify.notified())).toBe(true);
  });

  it('keeps its place in the queue while waits on it come and go', () => {
    const notify = new Notify();
    const [enabled, other] = [notify.notified(), notify.notified()];
    enabled.enable();
    park(other);
    unpark(enabled, park(enabled));
    notify.notifyOne();
    expect([isPending(other), isPending(enabled)]).toEqual([true, false]);
  });

  it('leaves a wait in progress in the queue when it is disposed', async () => {
    const notify = new Notify();
    const enabled = notify.notified();
    enabled.enable();
    const waiting = enabled.then(() => 'woken');
    await runEventLoop();
    enabled.dispose();
    enabled.dispose();
    notify.notifyOne();
    expect(await waiting).toBe('woken');
  });
});

// Tokio's rules in the simplest form: each waiter has a note, or none.
interface ModelWait {
  readonly real: Notified;
  state: 'new' | 'waiting' | 'first' | 'last' | 'all' | 'done' | 'dropped';
  readonly round: number;
}

class Model {
  stored = false;
  round = 0;
  readonly queue: ModelWait[] = [];

  notify(which: 'first' | 'last'): void {
    const next = which === 'first' ? this.queue.shift() : this.queue.pop();
    if (next === undefined) this.stored = true;
    else next.state = which;
  }

  poll(wait: ModelWait): boolean {
    if (wait.state === 'new' && wait.round === this.round && !this.stored) {
      wait.state = 'waiting';
      this.queue.push(wait);
    }
    if (wait.state === 'waiting') return false;
    if (wait.state === 'new' && wait.round === this.round) this.stored = false;
    wait.state = 'done';
    return true;
  }

  drop(wait: ModelWait): void {
    const { state } = wait;
    wait.state = 'dropped';
    if (state === 'waiting') this.queue.splice(this.queue.indexOf(wait), 1);
    else if (state === 'first' || state === 'last') this.notify(state);
  }
}

it('notify agrees with a naive model of Tokio in random runs of polls, drops and notifications', () => {
  const step = fc.record({
    act: fc.constantFrom('make', 'poll', 'poll', 'drop', 'first', 'last', 'all'),
    pick: fc.nat(10),
  });
  const property = fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
    const notify = new Notify();
    const model = new Model();
    const waits: ModelWait[] = [];
    for (const { act, pick } of steps) {
      const alive = waits.filter(({ state }) => state !== 'dropped');
      const wait = alive[pick % Math.max(1, alive.length)];
      if (act === 'make') waits.push({ real: notify.notified(), state: 'new', round: model.round });
      else if (act === 'first') {
        notify.notifyOne();
        model.notify('first');
      } else if (act === 'last') {
        notify.notifyLast();
        model.notify('last');
      } else if (act === 'all') {
        notify.notifyWaiters();
        model.round++;
        for (const waiting of model.queue.splice(0)) waiting.state = 'all';
      } else if (wait !== undefined && act === 'poll') {
        // Tokio's first poll joins the queue: here that is `enable`.
        const isReady = wait.state === 'done' ? wait.real[source].poll() !== PENDING : wait.real.enable();
        expect(isReady).toBe(model.poll(wait));
      } else if (wait !== undefined && act === 'drop') {
        wait.real.dispose();
        model.drop(wait);
      }
    }
    for (const wait of waits.filter(({ state }) => state !== 'dropped')) {
      expect(wait.real.enable()).toBe(model.poll(wait));
    }
  });
  fc.assert(property, { numRuns: 1_000 });
});
