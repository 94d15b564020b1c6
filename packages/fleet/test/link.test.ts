import { getEventListeners } from 'node:events';
import { type CancellationToken, ClosedError, setUncaughtHandler } from '@quiesce/cancellation-token';
import { EngineUnavailableError, type Fleet, type FleetEngine, type FleetListener, joinFleet } from '@quiesce/fleet';
import { Shutdown } from '@quiesce/shutdown';
import { describe, expect, it } from 'vitest';
import { around, gate, obedient, rejection, world } from './vocabulary.ts';

/** Counts the subscriptions of an engine that are open. */
function counted(engine: FleetEngine): { readonly engine: FleetEngine; readonly open: () => number } {
  let count = 0;
  return {
    open: () => count,
    engine: around(engine, ({ listen }) => ({
      listen: async (me, on) => {
        const subscription = await listen(me, on);
        count++;
        return {
          ...subscription,
          close: async () => {
            count--;
            await subscription.close();
          },
        };
      },
    })),
  };
}

describe('joining an engine that fails on the way', () => {
  it('uses another id for each attempt, so that the one before leaves alone', async () => {
    const { clock, engine } = world();
    let isFirst = true;
    const left: string[] = [];
    const flaky = around(engine, ({ read, leave }) => ({
      read: async (log, after) => {
        if (!isFirst) return read(log, after);
        isFirst = false;
        throw new Error('the connection was lost');
      },
      leave: async (id) => {
        left.push(id);
        await leave(id);
      },
    }));
    const joined = joinFleet({ engine: flaky, clock, node: 'worker' });
    await clock.advance(1_000);
    const fleet = await joined;
    expect([left.length, left.includes(fleet.id)]).toEqual([1, false]);
    const states = (await fleet.members()).map(({ id, state }) => [id === fleet.id, state]);
    expect(states).toEqual([
      [false, 'left'],
      [true, 'live'],
    ]);
  });

  it('closes a connection that opens after the limit', async () => {
    const { clock, engine } = world();
    const slow = gate();
    const closed: number[] = [];
    let count = 0;
    const late: FleetEngine = {
      connect: async (...args) => {
        const number = ++count;
        if (number === 1) await slow.opened;
        return { ...(await engine.connect(...args)), close: async () => void closed.push(number) };
      },
    };
    const joined = joinFleet({ engine: late, clock });
    await clock.advance(4_000);
    const fleet = await joined;
    slow.open();
    await clock.advance(0);
    expect(closed).toEqual([1]);
    await fleet.close();
    expect(closed).toEqual([1, 2]);
  });

  it('tries again after a TypeError of the engine, as fetch rejects with, and names it at the end', async () => {
    const { clock } = world();
    const failure = new TypeError('fetch failed');
    let count = 0;
    const engine: FleetEngine = {
      connect: () => {
        count++;
        throw failure;
      },
    };
    const error = rejection(joinFleet({ engine, clock, joinTimeout: 1_000 }));
    await clock.advance(2_000);
    expect(await error).toBeInstanceOf(EngineUnavailableError);
    expect([((await error) as Error).cause === failure, count > 2]).toEqual([true, true]);
  });

  it('gives up on an engine that returns nothing', async () => {
    const { clock, engine } = world();
    const nothing = async (): Promise<never> => undefined as never;
    const methods = ['listen', 'read', 'meet'] as const;
    const engines: FleetEngine[] = [{ connect: nothing }];
    for (const method of methods) engines.push(around(engine, () => ({ [method]: nothing })));
    for (const method of methods) engines.push(around(engine, () => ({ [method]: () => undefined as never })));
    for (const broken of engines) {
      const error = rejection(joinFleet({ engine: broken, clock, joinTimeout: 500 }));
      await clock.advance(20_000);
      expect(await error).toBeInstanceOf(EngineUnavailableError);
    }
    expect(clock.pendingCount).toBe(0);
  });
});

describe('a subscription', () => {
  it('is closed when it opens while the fleet closes', async () => {
    const { clock, engine } = world();
    const { open, engine: counting } = counted(engine);
    const opened = gate();
    let count = 0;
    const slow = around(counting, ({ listen }) => ({
      listen: async (me, on) => {
        const subscription = await listen(me, on);
        if (++count === 2) await opened.opened;
        return subscription;
      },
    }));
    const fleet = await joinFleet({ engine: slow, clock });
    engine.cut();
    engine.heal();
    await clock.advance(100);
    expect(count).toBe(2);
    const closed = fleet.close();
    await clock.advance(0);
    opened.open();
    await clock.advance(10_000);
    await closed;
    expect([open(), clock.pendingCount]).toEqual([0, 0]);
  });

  it('is not opened after the fleet has closed', async () => {
    const { clock, engine } = world();
    const { open, engine: counting } = counted(engine);
    const answered = gate();
    let isDown = false;
    const calls: string[] = [];
    const slow = around(counting, ({ listen, meet, leave }) => ({
      listen: async (me, on) => ({
        ...(await listen(me, on)),
        check: async () => {
          await answered.opened;
          throw new Error('the connection was lost');
        },
      }),
      meet: async (me) => {
        if (isDown) throw new Error('no answer');
        calls.push('meet');
        return meet(me);
      },
      leave: async (id) => {
        calls.push('leave');
        await leave(id);
      },
    }));
    const fleet = await joinFleet({ engine: slow, clock });
    isDown = true;
    await rejection(fleet.members());
    isDown = false;
    await clock.advance(100);
    const closed = fleet.close();
    await clock.advance(0);
    answered.open();
    await clock.advance(20_000);
    await closed;
    expect([open(), calls.at(-1), clock.pendingCount]).toEqual([0, 'leave', 0]);
  });

  it('that was replaced cannot break the new one', async () => {
    const { clock, engine } = world();
    const { open, engine: counting } = counted(engine);
    const listeners: FleetListener[] = [];
    let isBroken = false;
    const listening = around(counting, ({ listen }) => ({
      listen: async (me, on) => {
        listeners.push(on);
        const subscription = await listen(me, on);
        const isFirst = listeners.length === 1;
        const check = async (): Promise<void> => {
          if (isFirst && isBroken) throw new Error('no answer');
        };
        return { ...subscription, check };
      },
    }));
    const fleet = await joinFleet({ engine: listening, clock });
    isBroken = true;
    await clock.advance(6_000);
    expect([listeners.length, open(), fleet.state.borrow().link]).toEqual([2, 1, 'up']);
    listeners[0]?.broken(new Error('closed at last'));
    expect([open(), fleet.state.borrow().link]).toEqual([1, 'up']);
    await clock.advance(6_000);
    expect(listeners.length).toBe(2);
  });

  it('that breaks at the last moment of a connection is replaced', async () => {
    for (let rounds = 0; rounds < 40; rounds++) {
      const { clock, engine } = world();
      const { open, engine: counting } = counted(engine);
      let listener: FleetListener | undefined;
      let isFirst = true;
      const breaking = around(counting, ({ listen, read }) => ({
        listen: async (me, on) => {
          listener = on;
          return listen(me, on);
        },
        read: (log, after) => {
          const answer = read(log, after);
          let left = rounds;
          const act = (): void => {
            if (left-- > 0) queueMicrotask(act);
            else listener?.broken(new Error('broken'));
          };
          if (isFirst) void answer.then(act);
          isFirst = false;
          return answer;
        },
      }));
      const joined = joinFleet({ engine: breaking, clock });
      await clock.advance(2_000);
      const fleet = await joined;
      expect([rounds, open(), fleet.state.borrow().link]).toEqual([rounds, 1, 'up']);
      await fleet.close();
    }
  });
});

describe('closing', () => {
  it('leaves after the last heartbeat was answered', async () => {
    const { clock, engine } = world();
    const calls: string[] = [];
    let answered = gate();
    answered.open();
    const slow = around(engine, ({ meet, leave }) => ({
      meet: async (me) => {
        await answered.opened;
        calls.push('meet');
        return meet(me);
      },
      leave: async (id) => {
        calls.push('leave');
        await leave(id);
      },
    }));
    const fleet = await joinFleet({ engine: slow, clock });
    answered = gate();
    await clock.advance(5_000);
    const closed = fleet.close();
    await clock.advance(1_000);
    answered.open();
    await clock.advance(10_000);
    await closed;
    expect(calls).toEqual(['meet', 'meet', 'leave']);
  });

  it('happens once, also from callbacks of the tokens that it cancels', async () => {
    const { clock, engine } = world();
    let leaves = 0;
    const counting = around(engine, ({ leave }) => ({
      leave: async (id) => {
        leaves++;
        await leave(id);
      },
    }));
    const fleet = await joinFleet({ engine: counting, clock });
    const closings: unknown[] = [];
    fleet.token('a').onCancelled(() => {
      closings.push(fleet.close());
      fleet.stop();
      fleet.abort('again');
    });
    const closed = fleet.close();
    await Promise.all([closed, fleet.close(), fleet.drain(AbortSignal.abort('now')).catch(() => {})]);
    expect([closings.length, closings[0] === closed, leaves]).toEqual([1, true, 1]);
    expect(() => fleet.attach(new Shutdown({ logger: false }))).toThrow(ClosedError);
  });

  it('gives up the records that the engine does not take, and leaves no timer', async () => {
    const { clock, engine, join } = world();
    const [api, fleet] = [await join('api'), await join('one')];
    engine.loseHints('api');
    const run = fleet.run('jobs/1', obedient).catch(() => {});
    void api.cancel('jobs', 'stop', { until: 'ended' }).catch(() => {});
    engine.cut('one');
    void fleet.cancel('jobs/2', 'stop', { timeout: 1e9 }).catch(() => {});
    const closed = fleet.close();
    await clock.advance(20_000);
    await closed;
    await run;
    await api.close();
    expect(clock.pendingCount).toBe(0);
  });
});

describe('callbacks of tokens', () => {
  it('may use the fleet: everything is in order when they run', async () => {
    const { clock, join } = world();
    const [api, worker] = [await join('api'), await join('worker')];
    const seen: unknown[] = [];
    const errors: unknown[] = [];
    const before = setUncaughtHandler((error) => errors.push(error));
    try {
      for (const [name, fleet] of [
        ['api', api],
        ['worker', worker],
      ] as [string, Fleet][]) {
        void fleet.run(['jobs', name], obedient).catch(() => {});
        fleet.token('jobs').onCancelled(() => {
          void fleet.run('jobs/new', () => 'ran').catch((reason) => seen.push(reason));
          seen.push(
            fleet.token('jobs/new').reason,
            fleet.inspect().runs.every(({ isCancelled }) => isCancelled),
          );
          void fleet.lease('billing', () => 'held').then((value) => seen.push(value));
          void fleet.cancel('other', 'nested', { until: 'delivered' }).then(({ state }) => seen.push(state));
          throw new Error('a callback that fails');
        });
      }
      const { state } = await api.cancel('jobs', 'stop', { until: 'ended' });
      await clock.advance(1_000);
      expect(state).toBe('ended');
      expect(seen.sort()).toEqual(
        ['stop', 'stop', true, 'stop', 'stop', true, 'held', 'held', 'nobody', 'nobody'].sort(),
      );
      expect(errors.map(String)).toEqual(['Error: a callback that fails', 'Error: a callback that fails']);
    } finally {
      setUncaughtHandler(before);
    }
  });

  it('leave no listener on a signal of the user', async () => {
    const { clock, join } = world();
    const fleet = await join('one');
    const { signal } = new AbortController();
    const listenerCount = (): number => getEventListeners(signal, 'abort').length;
    let most = 0;
    const work = (token: CancellationToken): void => {
      token.onCancelled(() => {});
      most = Math.max(most, listenerCount());
    };
    await fleet.run('jobs/1', work, { signal, unreachable: 20_000 });
    await fleet.lease('billing', work, { signal, timeout: 1_000 });
    await fleet.cancel('jobs/1', 'stop', { signal, until: 'ended' });
    await clock.advance(0);
    expect([most > 0, listenerCount()]).toEqual([true, 0]);
  });
});
