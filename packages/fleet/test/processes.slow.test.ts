// Leases and receipts on real engines, while members are stopped, killed and cut off, and while the engine restarts.
import {
  type CancelIncompleteError,
  createPostgresSchema,
  type EngineUnavailableError,
  type Fleet,
  type JoinFleetOptions,
  joinFleet,
} from '@quiesce/fleet';
import pg from 'pg';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import {
  nats,
  type Program,
  postgres,
  redis,
  startNats,
  startPostgres,
  startRedis,
  type TestServer,
} from '../../adapters/test/servers.ts';
import { type Hold, type Holding, hold, sleep } from './processes/hold.ts';
import { MemberProcess } from './processes/process.ts';
import { startProxy, type TestProxy } from './proxy.ts';
import { type EngineKind, engineOf } from './storm/engines.ts';
import { now } from './storm/protocol.ts';
import { obedient, rejection } from './vocabulary.ts';

const LONG = 300_000;
/** A busy machine decides no test: where no limit is tested, it is this one, in ms. */
const PATIENT = 60_000;
const namespace = 'processes';
/** Writes to disk before it answers. */
const durable = ['--appendonly', 'yes', '--appendfsync', 'always'];

const rows: [EngineKind, Program, () => Promise<TestServer>][] = [
  ['postgres', postgres, startPostgres],
  ['redis', redis, () => startRedis(durable)],
  ['nats', nats, startNats],
];

/** No holder believed that it still held the lease when the next one got it, and fences have grown. */
function expectInTurn(holds: readonly Pick<Hold, 'fence' | 'heldAt' | 'lastValidAt'>[]): void {
  const sorted = [...holds].sort((a, b) => a.heldAt - b.heldAt);
  for (const [index, { fence, lastValidAt }] of sorted.slice(0, -1).entries()) {
    const next = sorted[index + 1] as Hold;
    expect(lastValidAt).toBeLessThanOrEqual(next.heldAt);
    expect(fence).toBeLessThan(next.fence);
  }
}

describe.each(rows)('on %s', (kind, program, start) => {
  let server: TestServer;
  let [a, b] = [undefined, undefined] as unknown as [Fleet, Fleet];
  const ends: (() => unknown)[] = [];

  async function join(port: number, node: string, options: Partial<JoinFleetOptions> = {}): Promise<Fleet> {
    const engine = await engineOf(kind, port);
    const settings = { engine, namespace, node, reread: 500, memberTtl: PATIENT, joinTimeout: PATIENT };
    const fleet = await joinFleet({ ...settings, ...options });
    ends.push(() => fleet.close());
    return fleet;
  }

  /** A member whose connections can be cut. Tests run concurrently, so the proxy heals at the end of the one that is named. */
  async function joinThroughProxy(node: string, { onTestFinished }: TestContext): Promise<[Fleet, TestProxy]> {
    const proxy = await startProxy(server.port);
    onTestFinished(() => proxy.heal());
    ends.push(() => proxy.close());
    return [await join(proxy.port, node), proxy];
  }

  async function startMember(node: string, memberTtl: number): Promise<MemberProcess> {
    const member = await MemberProcess.join({ kind, port: server.port, node, namespace, memberTtl });
    ends.push(() => member.kill());
    return member;
  }

  beforeAll(async () => {
    if (program.isMissing) return;
    server = await start();
    if (kind === 'postgres') {
      const pool = new pg.Pool({ host: '127.0.0.1', port: server.port, user: 'postgres', max: 1 });
      await createPostgresSchema(pool);
      await pool.end();
    }
    [a, b] = [await join(server.port, 'a'), await join(server.port, 'b')];
  }, LONG);
  afterAll(async () => {
    for (const end of ends.reverse()) await end();
    await server?.stop();
  }, LONG);

  const skip = { skip: program.isMissing, timeout: LONG };

  describe('a lease', { concurrent: true }, () => {
    it(
      `is handed on when the work has ended, and after a cleanup that takes longer than its ttl${program.note}`,
      skip,
      async () => {
        const name = 'hand-off';
        const first = hold(a, { name, ttl: 1_000, cleanupMs: 1_500 });
        await first.held;
        const second = hold(b, { name, ttl: 1_000 });
        await sleep(100);
        first.cancel();
        const one = await first.ended;
        await second.held;
        second.finish();
        const two = await second.ended;
        expect(two.heldAt).toBeGreaterThanOrEqual(one.endedAt);
        expectInTurn([one, two]);
      },
    );

    it(`with two permits goes to eight contenders, never to three at once${program.note}`, skip, async () => {
      const contenders = Array.from({ length: 8 }, (_, n) =>
        hold(n % 2 === 0 ? a : b, { name: 'pair', ttl: 1_000, permits: 2 }),
      );
      for (const one of contenders) void one.held.then(() => sleep(50)).then(() => one.finish());
      const holds = await Promise.all(contenders.map(({ ended }) => ended));
      for (const { heldAt } of holds) {
        const others = holds.filter((other) => other.heldAt <= heldAt && other.lastValidAt > heldAt);
        expect(others.length).toBeLessThanOrEqual(2);
      }
    });

    it.for(['cut', 'mute'] as const)(
      `is over for a holder that is cut off (%s), before another one gets it${program.note}`,
      skip,
      async (fault, context) => {
        const [fleet, proxy] = await joinThroughProxy(fault, context);
        const first = hold(fleet, { name: fault, ttl: 2_000 });
        await first.held;
        const second = hold(b, { name: fault, ttl: 2_000 });
        await sleep(100);
        proxy[fault]();
        const one = await first.ended;
        await second.held;
        second.finish();
        expect(one.code).toBe('ERR_LEASE_LOST');
        expectInTurn([one, await second.ended]);
        proxy.heal();
        await fleet.state.waitFor(({ link }) => link === 'up');
      },
    );

    it(`that is granted after its wait has ended is given back${program.note}`, skip, async (context) => {
      const [fleet, proxy] = await joinThroughProxy('late', context);
      // It expires long after this test.
      const ttl = 3_600_000;
      proxy.delay(400);
      const late = hold(fleet, { name: 'late', ttl, timeout: 300 });
      expect(await rejection(late.ended)).toMatchObject({ code: 'ERR_TIMEOUT' });
      await sleep(500);
      proxy.heal();
      const next = hold(b, { name: 'late', ttl });
      await next.held;
      next.finish();
      await next.ended;
    });

    it(`of a process that is killed goes to another one; its runs are lost${program.note}`, skip, async () => {
      const member = await startMember('killed', 1_500);
      member.order({ op: 'run', key: 'killed/1' });
      member.order({ op: 'hold', name: 'killed', ttl: 1_000 });
      await Promise.all([member.next('started'), member.next('held')]);
      const next = hold(b, { name: 'killed', ttl: 1_000 });
      await member.kill();
      const killedAt = now();
      expect((await next.held).heldAt).toBeGreaterThan(killedAt - 1_000);
      next.finish();
      const receipt = await b.cancel('killed', 'stop', { until: 'ended', timeout: PATIENT });
      expect(receipt.lost).toEqual([member.id]);
    });

    it(
      `is over at the first look of a process that was stopped; what it starts then is refused${program.note}`,
      skip,
      async () => {
        const member = await startMember('stopped', PATIENT);
        member.order({ op: 'run', key: 'stopped/1' });
        await member.next('started');
        let spun = { gap: 0 } as Awaited<ReturnType<typeof member.next<'spun'>>>;
        let next: Holding | undefined;
        // On a busy machine a lease may be over before the process stops.
        for (let attempt = 0; spun.gap === 0 && attempt < 5; attempt++) {
          const name = `stopped-${attempt}`;
          member.order({ op: 'spin', name, ttl: 2_000, key: 'later/1' });
          await member.next('spinning');
          const stoppedAt = now();
          next = hold(b, { name, ttl: 2_000 });
          await next.held;
          if (attempt === 0) {
            const silent = (await rejection(
              b.cancel('stopped', 'stop', { until: 'ended', timeout: 500 }),
            )) as CancelIncompleteError;
            expect([silent.code, silent.message]).toEqual([
              'ERR_CANCEL_INCOMPLETE',
              expect.stringContaining(`${member.id} is silent`),
            ]);
            await b.cancel('later', 'stop', { timeout: PATIENT });
          }
          await sleep(Math.max(0, stoppedAt + 1_500 - now()));
          member.continue();
          spun = await member.next('spun');
          next.finish();
        }
        expect(spun).toMatchObject({ isCancelled: true, code: 'ERR_LEASE_LOST', isStarted: false, reason: 'stop' });
        expect(spun.gap).toBeGreaterThan(0);
        expect(spun.lastValidAt).toBeLessThanOrEqual((await (next as Holding).ended).heldAt);
        expect((await member.next('ended')).reason).toBe('stop');
        expect((await b.cancel('stopped', 'again', { until: 'ended', timeout: PATIENT })).state).toMatch(
          /ended|nobody/,
        );
      },
    );
  });

  it(`a restart of the engine lets no two hold a lease, and a cancel waits for it${program.note}`, skip, async () => {
    const first = hold(a, { name: 'restart', ttl: 2_000 });
    await first.held;
    const second = hold(b, { name: 'restart', ttl: 2_000 });
    const job = b.run('restart/1', obedient).catch((reason) => reason);
    await sleep(100);
    await server.kill();
    const unrecorded = (await rejection(a.cancel('never', 'stop', { timeout: 300 }))) as EngineUnavailableError;
    expect([unrecorded.code, unrecorded.receipt?.state]).toEqual(['ERR_ENGINE_UNAVAILABLE', 'unrecorded']);
    const receipt = a.cancel('restart', 'stop', { until: 'ended', timeout: PATIENT });
    await server.restart();
    expect((await receipt).state).toBe('ended');
    expect(await job).toBe('stop');
    first.finish();
    await second.held;
    second.finish();
    expectInTurn([await first.ended, await second.ended]);
  });

  it.skipIf(kind !== 'redis' || program.isMissing)(
    'a cancel right after FLUSHALL waits for the run of another member',
    async () => {
      const cleanup = { isOver: false };
      const job = b.run('flushed/1', async (token) => {
        await token.cancelled();
        await sleep(300);
        cleanup.isOver = true;
      });
      // Each member has seen the other.
      await a.members();
      const admin = createClient({ socket: { host: '127.0.0.1', port: server.port } });
      await admin.connect();
      await admin.sendCommand(['FLUSHALL']);
      await admin.close();
      const receipt = await a.cancel('flushed', 'stop', { until: 'ended', timeout: PATIENT });
      expect([receipt.state, cleanup.isOver]).toEqual(['ended', true]);
      expect(receipt.nodes.find(({ node }) => node === b.id)).toMatchObject({ state: 'ended', runCount: 1 });
      await job;
    },
  );
});
