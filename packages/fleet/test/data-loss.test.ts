// Receipts after the engine has lost its data, and with it its list of members.
import type { VirtualClock } from '@quiesce/cancellation-token/testing';
import { CancelIncompleteError, type Fleet, joinFleet } from '@quiesce/fleet';
import type { FaultyEngine } from '@quiesce/fleet/testing';
import { describe, expect, it } from 'vitest';
import { around, deaf, obedient, rejection, world } from './vocabulary.ts';

/** Follows a cancel: `now` returns the state of its receipt, or `pending`. */
function stateOf(receipt: Promise<{ readonly state: string }>): { now(): string } {
  let state = 'pending';
  receipt.then(
    (settled) => {
      state = settled.state;
    },
    (error: Error) => {
      state = `rejected: ${error.message}`;
    },
  );
  return { now: () => state };
}

/** Cuts all connections and loses the data. All members but one can return. */
function loseData(engine: FaultyEngine, away: string): void {
  engine.cut();
  engine.goBack();
  engine.heal();
  engine.cut(away);
}

/** Cancels the job of a worker that has not returned: it runs, so no receipt may come. */
async function expectNoReceipt(clock: VirtualClock, api: Fleet, worker: Fleet): Promise<void> {
  expect(api.inspect().link).toBe('up');
  const receipt = stateOf(api.cancel('jobs/1', 'stop', { until: 'ended' }));
  await clock.advance(500);
  expect(worker.inspect().runs.length).toBe(1);
  expect(receipt.now()).toBe('pending');
}

describe('a cancel after the engine has lost its data, while members have not returned', () => {
  /** The time in which live members return: `reread` and the longest pause between two attempts to connect. */
  const RETURN = 6_000;

  it.each([
    ['another member', true],
    ['a caller', false],
  ])('awaits members that %s has never seen in a list', async (_, member) => {
    const { clock, engine, join } = world();
    const api = await join('api', { member });
    const worker = await join('worker');
    const job = deaf();
    const run = worker.run('jobs/1', job.work);
    engine.cut();
    // A caller notices the loss of its connection only when it uses it.
    if (!member) await rejection(api.members());
    engine.goBack();
    engine.heal();
    engine.cut('worker');
    await clock.advance(1_000);
    const receipt = api.cancel('jobs/1', 'stop', { until: 'ended' });
    await clock.advance(1_000);
    engine.heal('worker');
    await clock.advance(RETURN);
    job.finish();
    await run;
    await clock.advance(1_000);
    const { state, nodes } = await receipt;
    expect([state, nodes.at(-1)]).toEqual(['ended', expect.objectContaining({ node: worker.id, runCount: 1 })]);
  });

  it('awaits them also when only the list shows the loss, because a live member is missing', async () => {
    const { clock, engine, join } = world();
    const caller = await join('caller', { member: false });
    const known = await join('known');
    await caller.members();
    const late = await join('late');
    const run = late.run('jobs/1', obedient).catch((reason) => reason);
    engine.loseHints();
    engine.goBack();
    const receipt = caller.cancel('jobs/1', 'stop', { until: 'ended' });
    await clock.advance(RETURN + 1_000);
    expect((await receipt).nodes.map(({ node }) => node)).toEqual([known.id, late.id]);
    expect(await run).toBe('stop');
  });

  it('is confirmed when live members have had time to return, and at once while the engine keeps its data', async () => {
    const { clock, engine, join } = world();
    const api = await join('api');
    const reconnect = async (): Promise<void> => {
      engine.cut('api');
      await clock.advance(10);
      engine.heal('api');
      await api.state.waitFor(({ link }) => link === 'up');
    };
    await api.cancel('before', 'stop');
    const back = reconnect();
    engine.goBack();
    await clock.advance(1_000);
    await back;
    let endedAt = 0;
    const begin = clock.now();
    void api.cancel('jobs/1', 'stop', { until: 'ended' }).then(() => {
      endedAt = clock.now();
    });
    await clock.advance(RETURN);
    expect([endedAt > begin, endedAt <= begin + RETURN]).toEqual([true, true]);
    const again = reconnect();
    await clock.advance(1_000);
    await again;
    const receipt = api.cancel('jobs/2', 'stop', { until: 'ended' });
    await clock.advance(0);
    expect((await receipt).state).toBe('nobody');
  });

  it('names the loss when the time is over before they had time to return', async () => {
    const { clock, engine, join } = world();
    const api = await join('api');
    engine.cut();
    engine.goBack();
    engine.heal();
    await clock.advance(1_000);
    const failure = rejection(api.cancel('jobs/1', 'stop', { until: 'ended', timeout: 1_000 }));
    await clock.advance(1_000);
    expect(await failure).toBeInstanceOf(CancelIncompleteError);
    expect(((await failure) as Error).message).toBe(
      'cancel: "jobs/1" is recorded, but not ended within 1000 ms: the engine was unavailable or has lost data, and members may not ' +
        'have returned yet; trying again is safe',
    );
  });

  it('awaits them when another member has recorded the lost cancels again', async () => {
    const { clock, engine, join } = world();
    const [api, other] = [await join('api'), await join('other')];
    await api.cancel('old', 'stop', { until: 'delivered' });
    await clock.advance(5_000); // all have read it, and know each other
    const worker = await join('worker'); // api has not listed it
    const job = deaf();
    void worker.run('jobs/1', job.work);
    engine.cut();
    engine.goBack();
    engine.heal();
    engine.cut('api');
    engine.cut('worker');
    await clock.advance(500);
    expect(other.inspect().counters.repairedCount).toBe(1);
    engine.heal('api');
    await clock.advance(1_000);
    await expectNoReceipt(clock, api, worker);
  });

  it('awaits them when the data has gone back to a copy that has all cancels', async () => {
    const { clock, engine, join } = world();
    const api = await join('api');
    await api.cancel('old', 'stop', { until: 'delivered' });
    await clock.advance(5_000);
    engine.remember();
    const worker = await join('worker');
    const job = deaf();
    void worker.run('jobs/1', job.work);
    loseData(engine, 'worker');
    await clock.advance(1_000);
    await expectNoReceipt(clock, api, worker);
  });

  it('does not count a list that was made before they had time to return, and that arrives later', async () => {
    const { clock, engine, join } = world();
    const api = await join('api');
    const worker = await join('worker');
    const job = deaf();
    void worker.run('jobs/1', job.work);
    loseData(engine, 'worker');
    await clock.advance(1_000); // up and noticed within 20..40 ms
    expect(api.inspect().link).toBe('up');
    await clock.advance(3_500);
    const receipt = stateOf(api.cancel('jobs/1', 'stop', { until: 'ended', timeout: 60_000 }));
    await clock.advance(0);
    engine.delay(2_000, 'api'); // the heartbeat at about 5 s: its list is made at once, and arrives 2 s later
    await clock.advance(900);
    engine.heal('worker'); // at 5.4 s
    await clock.advance(2_000);
    expect(worker.inspect().link).toBe('up');
    expect(worker.inspect().runs.length).toBe(1);
    expect(receipt.now()).toBe('pending');
  });

  it('gives them the time again when the engine goes away once more', async () => {
    const { clock, engine, join } = world();
    const api = await join('api');
    const worker = await join('worker');
    const job = deaf();
    void worker.run('jobs/1', job.work);
    loseData(engine, 'worker');
    await clock.advance(100);
    expect(api.inspect().link).toBe('up');
    engine.cut(); // the engine is away for 10 s. It loses nothing
    await clock.advance(10_000);
    engine.heal();
    engine.cut('worker'); // a member that comes back a little later
    await clock.advance(1_000);
    expect(api.inspect().link).toBe('up');
    const receipt = stateOf(api.cancel('jobs/1', 'stop', { until: 'ended' }));
    await clock.advance(100);
    engine.heal('worker');
    await clock.advance(100);
    expect(worker.inspect().runs.length).toBe(1);
    expect(receipt.now()).toBe('pending');
  });

  it('gives them the time again when the connection fails right after the read that shows the loss', async () => {
    const { clock, engine } = world();
    let isFailing = false;
    const flaky = around(engine, ({ read }) => ({
      read: async (log, after) => {
        const page = await read(log, after);
        if (isFailing && log === 'cancels' && page.whole) engine.cut();
        return page;
      },
    }));
    const api = await joinFleet({ engine: flaky, clock, node: 'api' });
    const worker = await joinFleet({ engine, clock, node: 'worker' });
    const job = deaf();
    void worker.run('jobs/1', job.work);
    isFailing = true;
    loseData(engine, 'worker');
    await clock.advance(10_000);
    isFailing = false;
    engine.heal();
    engine.cut('worker');
    await clock.advance(1_000);
    await expectNoReceipt(clock, api, worker);
  });

  it('awaits them when the data is lost twice, the second time before the read that the first loss asks for', async () => {
    const { clock, engine } = world();
    let hold: Promise<void> | undefined;
    let fail = false;
    const slow = around(engine, ({ read }) => ({
      read: async (log, after) => {
        if (log === 'cancels' && after === undefined && fail) throw new Error('killed again');
        const page = await read(log, after);
        if (log === 'cancels' && hold !== undefined) await hold;
        return page;
      },
    }));
    const api = await joinFleet({ engine: slow, clock, node: 'api' });
    const worker = await joinFleet({ engine, clock, node: 'worker' });
    const job = deaf();
    void worker.run('jobs/1', job.work);
    const { work, finish } = deaf();
    engine.loseHints();
    engine.goBack();
    hold = work();
    await clock.advance(5_000); // the whole read has been answered by the engine, and is on its way
    void api.cancel('other', 'stop'); // recorded after the read was sent
    await clock.advance(10);
    hold = undefined;
    fail = true;
    engine.cut();
    finish();
    await clock.advance(20_000); // the engine is away
    engine.goBack();
    fail = false;
    engine.heal();
    engine.cut('worker');
    await clock.advance(1_000);
    await expectNoReceipt(clock, api, worker);
  });

  it('is confirmed at once when a log was deleted because all its records had expired, as on Redis', async () => {
    const { clock, engine } = world();
    let isDeleted = false;
    // Like `op == 'read'` of redis-script: the cursor's entry is missing, so the read is whole, once.
    const redisLike = around(engine, ({ read }) => ({
      read: async (log, after) => {
        const page = await read(log, after);
        if (log !== 'cancels' || !isDeleted || after === undefined) return page;
        isDeleted = false;
        return { ...page, whole: true };
      },
    }));
    const api = await joinFleet({ engine: redisLike, clock, node: 'api', retention: 60_000 });
    await api.cancel('old', 'stop', { until: 'ended' });
    await clock.advance(60_000);
    isDeleted = true;
    await clock.advance(5_000);
    expect(isDeleted).toBe(false);
    const receipt = stateOf(api.cancel('jobs/1', 'stop', { until: 'ended' }));
    await clock.advance(100);
    expect(receipt.now()).toBe('nobody');
  });

  it('is confirmed when a member leaves in order, without answers, within this time', async () => {
    const { clock, engine } = world();
    const mute = around(engine, ({ append }) => ({
      append: (records) => append(records.filter(({ log }) => log === 'cancels')),
    }));
    const api = await joinFleet({ engine, clock, node: 'api' });
    const worker = await joinFleet({ engine: mute, clock, node: 'worker' });
    await clock.advance(5_000);
    const job = deaf();
    void worker.run('jobs/1', job.work);
    const receipt = stateOf(api.cancel('jobs/1', 'stop', { until: 'ended', timeout: 60_000 }));
    await clock.advance(100);
    engine.goBack();
    await clock.advance(5_000);
    void worker.close();
    job.finish();
    await clock.advance(10);
    expect(await api.members()).toContainEqual({ id: worker.id, state: 'left' });
    await clock.advance(10);
    expect(receipt.now()).toBe('ended');
  });
});
