import { CancelledError, type Clock, ClosedError } from '@quiesce/cancellation-token';
import {
  CancelIncompleteError,
  type EngineConnection,
  EngineUnavailableError,
  type FleetEngine,
  joinFleet,
} from '@quiesce/fleet';
import { describe, expect, it } from 'vitest';
import { around, deaf, obedient, rejection, world } from './vocabulary.ts';

describe('a cancel', () => {
  it('reaches a run of another member, with its reason, and is not answered before the run has ended', async () => {
    const { clock, join } = world();
    const [api, worker] = [await join('api'), await join('worker')];
    const cleanup = deaf();
    const log: string[] = [];
    const job = worker.run('jobs/42/1', async (token) => {
      await token.cancelled();
      log.push(`cancelled: ${(token.reason as Error).message}`);
      await cleanup.work();
      log.push('cleaned up');
    });
    const cancel = api.cancel('jobs/42', new Error('stopped by user'), { until: 'ended' });
    void cancel.then(() => log.push('receipt'));
    await clock.advance(0);
    expect(log).toEqual(['cancelled: stopped by user']);
    cleanup.finish();
    await job;
    const receipt = await cancel;
    expect(log).toEqual(['cancelled: stopped by user', 'cleaned up', 'receipt']);
    expect(receipt.state).toBe('ended');
    const [own, other] = receipt.nodes;
    expect(own).toMatchObject({ node: api.id, state: 'ended', runCount: 0 });
    expect(other).toEqual({
      node: worker.id,
      state: 'ended',
      tokenCount: 0,
      runCount: 1,
      runningCount: 0,
      unfinished: [],
    });
  });

  it('cancels nothing when the clock sets no timer for its wait', async () => {
    const { clock, engine } = world();
    const error = new Error('no timers left');
    let fails = false;
    const limited: Clock = {
      now: () => clock.now(),
      wall: () => clock.wall(),
      setTimer: (ms, fn, options) => {
        if (fails) throw error;
        return clock.setTimer(ms, fn, options);
      },
      clearTimer: (timer) => clock.clearTimer(timer),
    };
    const fleet = await joinFleet({ engine, clock: limited, node: 'worker' });
    const token = fleet.token('jobs/1');
    fails = true;
    expect(await rejection(fleet.cancel('jobs', 'stop'))).toBe(error);
    fails = false;
    expect([token.isCancelled, fleet.inspect().cancelCount]).toEqual([false, 0]);
    await fleet.close();
  });

  it('of a caller ends when a clock closes the fleet inside `setTimer`', async () => {
    const { clock, engine, join } = world();
    await join('worker');
    let closing: Promise<void> | undefined;
    const closes: Clock = {
      now: () => clock.now(),
      wall: () => clock.wall(),
      setTimer: (ms, fn, options) => {
        // The first pause of a caller between two looks at its inbox.
        if (ms === 20) closing ??= caller.close();
        return clock.setTimer(ms, fn, options);
      },
      clearTimer: (timer) => clock.clearTimer(timer),
    };
    const caller = await joinFleet({ engine, clock: closes, node: 'caller', member: false });
    const waiting = rejection(caller.cancel('jobs', 'stop', { until: 'ended' }));
    await clock.advance(1_000);
    expect(String(await waiting)).toBe('ClosedError: cancel: the fleet was closed');
    await closing;
    expect(caller.state.borrow().link).toBe('closed');
  });

  it('rejects each with an error of its own when the fleet is closed', async () => {
    const { clock, engine, join } = world();
    const fleet = await join('worker');
    engine.cut();
    const waiting = ['jobs/1', 'jobs/2'].map((key) => rejection(fleet.cancel(key)));
    const closing = fleet.close();
    await clock.advance(10_000);
    const [first, second] = await Promise.all(waiting);
    expect(first).toBeInstanceOf(ClosedError);
    expect(first).not.toBe(second);
    await closing;
  });

  it('covers its key and all keys below it, by segments', async () => {
    const { join, settle } = world();
    const [api, worker] = [await join('api'), await join('worker')];
    const keys = ['jobs/1', 'jobs/1/2', 'jobs/10', 'jobs', 'job', 'jobs/1%2F3', 'tasks/1'];
    const tokens = keys.map((key) => worker.token(key));
    await api.cancel('jobs/1', 'stop');
    await settle();
    expect(keys.filter((_, index) => tokens[index]?.isCancelled)).toEqual(['jobs/1', 'jobs/1/2']);
  });

  it('refuses runs and tokens that start later, until its ttl, and no others', async () => {
    const { clock, join } = world();
    const [api, worker] = [await join('api'), await join('worker')];
    await api.cancel('jobs/1', 'stop', { ttl: 20_000, until: 'delivered' });
    expect(await rejection(worker.run('jobs/1/2', () => 'ran'))).toBe('stop');
    expect(worker.token('jobs/1').reason).toBe('stop');
    expect(await worker.run('jobs/2', () => 'ran')).toBe('ran');
    await clock.advance(20_000);
    expect(await worker.run('jobs/1/2', () => 'ran')).toBe('ran');
    expect(worker.token('jobs/1').isCancelled).toBe(false);
  });

  it('refuses the run of a member that joins later', async () => {
    const { join } = world();
    await (await join('api')).cancel('jobs/1', 'stop');
    expect(await rejection((await join('worker')).run('jobs/1', () => 'ran'))).toBe('stop');
  });

  it('cancels the runs of its own process inside the call, even when the engine is unavailable', async () => {
    const { clock, engine, join } = world();
    const fleet = await join('one');
    const job = rejection(fleet.run('jobs/1', obedient));
    engine.cut();
    const failure = rejection(fleet.cancel('jobs/1', 'stop', { timeout: 1_000 }));
    expect(fleet.inspect().runs).toEqual([{ key: 'jobs/1', ageMs: 0, isCancelled: true }]);
    expect(await job).toBe('stop');
    await clock.advance(1_000);
    const error = (await failure) as EngineUnavailableError;
    expect(error).toBeInstanceOf(EngineUnavailableError);
    expect(error.receipt).toMatchObject({ state: 'unrecorded', key: 'jobs/1' });
    expect(error.cause).toMatchObject({ message: 'the connection was cut' });
    // It was never recorded: what starts later is not covered.
    expect(await fleet.run('jobs/1', () => 'ran')).toBe('ran');
  });

  it('is recorded when the engine is back within the time', async () => {
    const { clock, engine, join } = world();
    const [api, worker] = [await join('api'), await join('worker')];
    const token = worker.token('jobs/1');
    engine.cut('api');
    const receipt = api.cancel('jobs/1', 'stop', { until: 'ended' });
    await clock.advance(3_000);
    expect(token.isCancelled).toBe(false);
    engine.heal();
    await clock.advance(2_000);
    expect((await receipt).state).toBe('ended');
    expect(token.reason).toBe('stop');
  });

  it('waits for a run that an earlier cancel has cancelled and that has not ended', async () => {
    const { clock, join } = world();
    const [api, worker] = [await join('api'), await join('worker')];
    const job = deaf();
    const ended = worker.run('jobs/1', job.work);
    await api.cancel('jobs/1', 'first', { until: 'delivered' });
    const error = rejection(api.cancel('jobs', 'second', { until: 'ended', timeout: 2_000 }));
    await clock.advance(2_000);
    const { receipt, message } = (await error) as CancelIncompleteError;
    expect(receipt.state).toBe('delivered');
    expect(receipt.nodes[1]).toMatchObject({ state: 'stopping', runCount: 1, runningCount: 1, unfinished: ['jobs/1'] });
    expect(message).toBe(`cancel: "jobs" is recorded, but not ended within 2000 ms: ${worker.id} still runs "jobs/1"`);
    const third = api.cancel('jobs/1', 'third', { until: 'ended' });
    await clock.advance(0);
    job.finish();
    await ended;
    expect((await third).state).toBe('ended');
  });

  it('is reached by a member without hints at its next reread', async () => {
    const { clock, engine, join } = world();
    const [api, worker] = [await join('api'), await join('worker')];
    engine.loseHints();
    const job = rejection(worker.run('jobs/1', obedient));
    const receipt = api.cancel('jobs/1', 'stop', { until: 'ended', timeout: 20_000 });
    await clock.advance(4_999);
    expect(worker.inspect().runs[0]?.isCancelled).toBe(false);
    await clock.advance(1);
    expect(await job).toBe('stop');
    await clock.advance(5_000);
    expect((await receipt).state).toBe('ended');
  });

  it('says nobody when all members have answered and none has a run or a token', async () => {
    const { join } = world();
    const [api] = [await join('api'), await join('worker')];
    const { state, nodes } = await api.cancel('jobs/1', undefined, { until: 'delivered' });
    expect([state, nodes.length]).toEqual(['nobody', 2]);
  });

  it('counts tokens, which it does not wait for', async () => {
    const { join } = world();
    const [api, worker] = [await join('api'), await join('worker')];
    const tokens = [worker.token('jobs/1'), worker.token('jobs/1/2')];
    const { state, nodes } = await api.cancel('jobs', 'stop', { until: 'ended' });
    expect([state, nodes[1]?.tokenCount, nodes[1]?.runCount]).toEqual(['ended', 2, 0]);
    expect(tokens.map(({ reason }) => reason)).toEqual(['stop', 'stop']);
  });

  it('names a member that is silent, and fulfils once it counts as lost', async () => {
    const { clock, engine, join } = world();
    const [api, worker] = [await join('api'), await join('worker')];
    engine.hang('worker');
    const early = rejection(api.cancel('jobs/1', 'stop', { until: 'delivered', timeout: 1_000 }));
    await clock.advance(1_000);
    expect(await early).toBeInstanceOf(CancelIncompleteError);
    expect(((await early) as Error).message).toContain(`${worker.id} is silent`);
    const late = api.cancel('jobs/1', 'stop', { until: 'ended', timeout: 60_000 });
    await clock.advance(25_000);
    const receipt = await late;
    expect(receipt.lost).toEqual([worker.id]);
    expect(receipt.nodes.map(({ state }) => state)).toEqual(['ended', 'lost']);
  });

  it('does not call a member lost that could not reach the engine either', async () => {
    const { clock, engine, join } = world();
    const [api, worker] = [await join('api'), await join('worker')];
    await clock.advance(5_000);
    const job = deaf();
    const run = worker.run('jobs/1', job.work);
    engine.cut();
    await clock.advance(60_000);
    // The worker comes back later than the node that asks.
    engine.heal();
    engine.cut('worker');
    const receipt = api.cancel('jobs/1', 'stop', { until: 'ended', timeout: 60_000 });
    await clock.advance(1_000);
    engine.heal();
    await clock.advance(5_000);
    job.finish();
    await run;
    await clock.advance(6_000);
    expect(await receipt).toMatchObject({ state: 'ended', lost: [] });
  });

  it('says of a member that has left that it has left', async () => {
    const { clock, engine, join } = world();
    const [api, worker] = [await join('api'), await join('worker')];
    engine.loseHints('worker');
    const receipt = api.cancel('jobs/1', 'stop', { until: 'ended' });
    await clock.advance(0);
    await worker.close();
    await clock.advance(5_000);
    expect((await receipt).nodes[1]).toMatchObject({ node: worker.id, state: 'left' });
  });

  it('ends its wait with the reason of its signal, and still cancels', async () => {
    const { clock, engine, join } = world();
    const [api, worker] = [await join('api'), await join('worker')];
    const token = worker.token('jobs/1');
    engine.hang('worker');
    const controller = new AbortController();
    const failure = rejection(api.cancel('jobs/1', 'stop', { until: 'ended', signal: controller.signal }));
    await clock.advance(100);
    controller.abort('enough');
    expect(await failure).toBe('enough');
    engine.heal();
    await clock.advance(10_000);
    expect(token.reason).toBe('stop');
  });

  it('rejects with the reason of a signal that is cancelled already, and still cancels', async () => {
    const { join, settle } = world();
    const [api, worker] = [await join('api'), await join('worker')];
    const tokens = [api.token('jobs/1'), worker.token('jobs/1')];
    const signal = AbortSignal.abort('enough');
    expect(await rejection(api.cancel('jobs/1', 'stop', { until: 'ended', signal }))).toBe('enough');
    await settle();
    expect(tokens.map(({ reason }) => reason)).toEqual(['stop', 'stop']);
  });

  it('is recorded when a read returns it, although each confirmation is lost', async () => {
    const { clock, engine, join } = world();
    const worker = await join('worker');
    const job = rejection(worker.run('jobs/1', obedient));
    const deafTo = around(engine, ({ append }) => ({
      append: async (records) => {
        await append(records);
        throw new Error('the answer was lost');
      },
    }));
    const api = await joinFleet({ engine: deafTo, clock, node: 'api' });
    const receipt = api.cancel('jobs/1', 'stop', { until: 'ended' });
    await clock.advance(9_999);
    expect((await receipt).state).toBe('ended');
    expect(await job).toBe('stop');
  });

  it('hits no token that was made after its ttl, by a member that reads it late', async () => {
    const { clock, engine, join } = world();
    const [api, worker] = [await join('api'), await join('worker')];
    const before = worker.token('jobs/1');
    engine.cut('worker');
    await api.cancel('jobs/1', 'stop', { ttl: 1_000 });
    await clock.advance(500);
    const [within, run] = [worker.token('jobs/1'), deaf()];
    // The engine counts whole ms.
    await clock.advance(501);
    const after = worker.token('jobs/1');
    let isCancelled = false;
    const later = worker.run('jobs/1', (token) => {
      token.onCancelled(() => {
        isCancelled = true;
      });
      return run.work();
    });
    engine.heal();
    await clock.advance(5_000);
    expect([before, within, after].map((token) => token.isCancelled)).toEqual([true, true, false]);
    expect(isCancelled).toBe(false);
    run.finish();
    await later;
  });

  it('rejects when the fleet is closed', async () => {
    const { engine, join, clock } = world();
    const [api] = [await join('api'), await join('worker')];
    engine.hang('worker');
    const failure = rejection(api.cancel('jobs/1', 'stop', { until: 'ended' }));
    await clock.advance(0);
    await api.close();
    expect(await failure).toBeInstanceOf(ClosedError);
    expect(await rejection(api.cancel('jobs/1'))).toBeInstanceOf(ClosedError);
  });

  it('refuses a bad reason before anything is cancelled', async () => {
    const { join } = world();
    const fleet = await join('one');
    const token = fleet.token('jobs/1');
    for (const reason of [() => {}, 1n, Symbol('no'), Number.NaN, new Map(), { at: new Date() }, [undefined]]) {
      expect(await rejection(fleet.cancel('jobs/1', reason))).toBeInstanceOf(TypeError);
    }
    expect(await rejection(fleet.cancel('jobs/1', 'x'.repeat(9_000)))).toBeInstanceOf(RangeError);
    expect(token.isCancelled).toBe(false);
  });

  it('gives one reason object to all work of a node', async () => {
    const { join, settle } = world();
    const [api, worker] = [await join('api'), await join('worker')];
    const tokens = [worker.token('a/1'), worker.token('a/2')];
    await api.cancel('a');
    await settle();
    expect(tokens[0]?.reason).toBeInstanceOf(CancelledError);
    expect(tokens[0]?.reason).toBe(tokens[1]?.reason);
    expect(await rejection(worker.run('a/3', () => {}))).toBe(tokens[0]?.reason);
  });
});

describe('a cancel, when the data of the engine is lost', () => {
  it('is recorded again by a member that saw it', async () => {
    const { clock, engine, join } = world();
    const [api, worker] = [await join('api'), await join('worker')];
    engine.remember();
    for (let n = 0; n < 20; n++) await api.cancel(['jobs', n], 'stop', { until: 'delivered' });
    await api.close();
    engine.goBack();
    await clock.advance(10_000);
    expect(worker.inspect().counters.repairedCount).toBe(20);
    const late = await join('late');
    for (let n = 0; n < 20; n++) expect(await rejection(late.run(['jobs', n], () => {}))).toBe('stop');
  });

  it('is recorded again when it was recorded and lost while a read was on its way', async () => {
    const { clock, engine } = world();
    const gates: (() => void)[] = [];
    let isSlow = false;
    const slow: FleetEngine = {
      connect: async (...args) => {
        const connection = await engine.connect(...args);
        const read: EngineConnection['read'] = async (log, after) => {
          if (isSlow) await new Promise<void>((resolve) => gates.push(resolve));
          return connection.read(log, after);
        };
        return { ...connection, read };
      },
    };
    const fleet = await joinFleet({ engine: slow, clock });
    engine.remember();
    isSlow = true;
    await clock.advance(5_000);
    await clock.advance(10);
    expect(gates.length).toBe(1);
    await fleet.cancel('jobs/1', 'stop');
    engine.goBack();
    isSlow = false;
    for (const open of gates) open();
    await clock.advance(1_000);
    const late = await joinFleet({ engine, clock });
    expect(late.token('jobs/1').reason).toBe('stop');
  });

  it('is recorded again although a page of the whole read fails', async () => {
    const { clock, engine, join } = world();
    const api = await join('api');
    for (let n = 0; n < 600; n++) void api.cancel(['old', n]);
    await clock.advance(0);
    engine.remember();
    let failures = 0;
    const flaky = around(engine, ({ read }) => {
      let count = 0;
      return {
        read: async (log, after) => {
          const page = await read(log, after);
          // The second page of a whole read, the first time.
          if (page.whole) count = 1;
          else if (count === 1 && failures++ === 1) throw new Error('the connection was lost');
          else count = 0;
          return page;
        },
      };
    });
    const fleet = await joinFleet({ engine: flaky, clock });
    await fleet.cancel('new', 'stop');
    await api.close();
    await clock.advance(0);
    engine.goBack();
    await clock.advance(12_000);
    expect([failures > 1, fleet.inspect().counters.repairedCount]).toEqual([true, 1]);
  });

  it('is not `nobody` while a member runs it, although the list of members is empty', async () => {
    const { clock, engine, join } = world();
    const [api, worker] = [await join('api'), await join('worker')];
    const job = deaf();
    void worker.run('jobs/1', job.work);
    engine.loseHints();
    // The list is complete once each member has seen the others.
    await clock.advance(5_000);
    engine.goBack();
    const receipt = api.cancel('jobs/1', 'stop', { until: 'ended', timeout: 60_000 });
    await clock.advance(12_000);
    job.finish();
    await clock.advance(10_000);
    expect((await receipt).nodes[1]).toMatchObject({ node: worker.id, state: 'ended', runCount: 1 });
  });
});

describe('the members of a fleet', () => {
  it('are listed again at their next read after the engine has lost its data', async () => {
    const { clock, engine, join } = world();
    const [api, worker] = [await join('api'), await join('worker')];
    const job = worker.run('jobs/1', obedient).catch(() => {});
    engine.goBack();
    // A hint about any cancel lets all members read.
    await api.cancel('other');
    await clock.advance(0);
    const late = await join('late');
    const cancelled = late.cancel('jobs/1', 'stop', { until: 'ended' });
    await clock.advance(0);
    const { state, nodes } = await cancelled;
    expect([state, nodes.map(({ node }) => node)]).toEqual(['ended', [late.id, api.id, worker.id]]);
    await job;
  });

  it('are awaited for their memberTtl, also when lost ones are forgotten at once', async () => {
    const { clock, engine, join } = world();
    const options = { lostFor: 0, memberTtl: 60_000 };
    const [api, worker] = [await join('api', options), await join('worker', options)];
    await clock.advance(5_000);
    const job = deaf();
    const run = worker.run('jobs/1', job.work);
    engine.cut('worker');
    engine.goBack();
    await clock.advance(100);
    const failure = rejection(api.cancel('jobs/1', 'stop', { until: 'ended' }));
    await clock.advance(10_000);
    expect(await failure).toBeInstanceOf(CancelIncompleteError);
    expect(((await failure) as Error).message).toContain(`${worker.id} is silent`);
    job.finish();
    await run;
  });
});

describe('a caller', () => {
  it('sends no request while it waits for nothing, keeps no cancels, and leaves no timer', async () => {
    const { clock, join } = world();
    const caller = await join('caller', { member: false });
    expect(clock.pendingCount).toBe(0);
    await caller.cancel('jobs/1', 'stop');
    expect(caller.inspect().cancelCount).toBe(0);
    await join('worker');
    void caller.cancel('jobs/1', 'stop', { until: 'ended' });
    await clock.advance(60_000);
    expect([caller.inspect().counters.readCount > 0, caller.age]).toEqual([true, Number.POSITIVE_INFINITY]);
    const { readCount: reads } = caller.inspect().counters;
    await clock.advance(60_000);
    expect(caller.inspect().counters.readCount).toBe(reads);
  });

  it('cancels and gets answers without being a member', async () => {
    const { clock, join } = world();
    const [worker, caller] = [await join('worker'), await join('caller', { member: false })];
    const job = rejection(worker.run('jobs/1', obedient));
    const receipt = caller.cancel('jobs/1', 'stop', { until: 'ended' });
    await clock.advance(100);
    expect((await receipt).nodes).toMatchObject([{ node: worker.id, state: 'ended' }]);
    expect(await job).toBe('stop');
    expect(await caller.members()).toEqual([{ id: worker.id, state: 'live' }]);
    expect(await rejection(caller.run('jobs/1', () => {}))).toBeInstanceOf(TypeError);
    expect(() => caller.token('jobs/1')).toThrow(TypeError);
    await caller.close();
    await worker.close();
    expect(clock.pendingCount).toBe(0);
  });
});
