// Runs the Redis engine against real servers, with both clients, through a network that fails.
import { type EngineConnection, type RedisClient, type RedisEngineOptions, redisEngine } from '@quiesce/fleet';
import { engineContract } from '@quiesce/fleet/testing';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { redis, startRedis, type TestServer } from '../../adapters/test/servers.ts';
import { idsOf, readAll, records, until } from '../src/contract/world.ts';
import { expectRepair, hearing, idleRequests, rejection } from './engine-vocabulary.ts';
import { startProxy, type TestProxy } from './proxy.ts';

const RETENTION = 3_600_000;
const LIMIT = 400;
/** A limit that only a test that fails reaches. */
const LONG = 30_000;

interface Login {
  readonly username: string;
  readonly password: string;
}

/** Makes a client that is not connected: the engine duplicates it. */
const clients = {
  redis: (port: number, login: Partial<Login> = {}) => createClient({ socket: { host: '127.0.0.1', port }, ...login }),
  ioredis: (port: number, login: Partial<Login> = {}) =>
    new Redis({ host: '127.0.0.1', port, lazyConnect: true, ...login }),
};

describe.skipIf(redis.isMissing)(`redisEngine on a Redis server${redis.note}`, () => {
  let server: TestServer;
  let admin: Redis;
  let proxy: TestProxy;
  const opened: EngineConnection[] = [];
  let namespaceCount = 0;

  beforeAll(async () => {
    server = await startRedis();
    admin = new Redis(server.port, '127.0.0.1');
    admin.on('error', () => {});
    proxy = await startProxy(server.port);
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    for (const connection of opened.splice(0)) await connection.close?.();
    proxy.heal();
  });
  afterAll(async () => {
    admin.disconnect();
    await proxy.close();
    await server.stop();
  });

  describe.each(['redis', 'ioredis'] as const)('with %s', (name) => {
    const makeClient = clients[name] as (port: number, login?: Partial<Login>) => RedisClient;

    /** Connects a fleet in a namespace of its own. */
    async function connect(
      client: RedisClient,
      {
        limit = LONG,
        namespace = `n${++namespaceCount}`,
        ...options
      }: RedisEngineOptions & { limit?: number; namespace?: string } = {},
    ): Promise<EngineConnection> {
      const connection = await redisEngine(client, options).connect(namespace, RETENTION, { requestTimeout: limit });
      opened.push(connection);
      return connection;
    }

    it.concurrent.each(engineContract.map((one) => [one.name, one] as const))('%s', (_, { run }) =>
      run(redisEngine(makeClient(server.port))),
    );

    it('each method is one request', async () => {
      const connection = await connect(makeClient(server.port));
      const slot = { name: 'slot', holder: 'h', ttl: 5_000, permits: 1 };
      await admin.config('RESETSTAT');
      const { cursor } = await connection.read('cancels', undefined);
      await connection.append([...records('cancels', 'a', 500), ...records('me', 'i', 10)]);
      await connection.read('cancels', cursor);
      await connection.meet({ id: 'me', ttl: 5_000, keep: 5_000 });
      const { fence } = (await connection.hold(slot)) as { fence: number };
      await connection.hold({ ...slot, fence });
      await connection.release({ ...slot, fence });
      await connection.leave('me');
      expect(await callsOf(admin)).toEqual({ evalsha: 8 });
    });

    it('a script that the server has forgotten is sent again', async () => {
      const connection = await connect(makeClient(server.port));
      await admin.script('FLUSH');
      await connection.append(records('cancels', 'a', 1));
      await admin.script('FLUSH');
      expect(idsOf((await readAll(connection, 'cancels')).records)).toEqual(['a0']);
    });

    it('close ends what the engine has opened, and nothing else', async () => {
      const client = makeClient(server.port);
      await (client as unknown as { connect(): Promise<void> }).connect();
      const before = await connectionCount(admin);
      const connection = await connect(client);
      await connection.listen('me', hearing().on);
      expect(await connectionCount(admin)).toBe(before + 2);
      const waiting = connection.read('cancels', undefined);
      await connection.close?.();
      await waiting.catch((error) => expect(error.code).toBe('ERR_CLOSED'));
      await until('the connections end', async () => ((await connectionCount(admin)) === before ? true : undefined));
      expect((await rejection(connection.read('cancels', undefined))).code).toBe('ERR_CLOSED');
      expect(await ping(client)).toBe('PONG');
      end(client);
    });

    it('a call on a connection that has gone silent is abandoned after the limit, and the next one works', async () => {
      const client = makeClient(proxy.port);
      await (client as unknown as { connect(): Promise<void> }).connect();
      const onEnd = vi.fn();
      (client as unknown as { on(event: string, fn: () => void): void }).on('end', onEnd);
      const connection = await connect(client, { limit: LIMIT });
      await connection.append(records('cancels', 'a', 1));
      proxy.silence();
      const errors = await Promise.all([
        rejection(connection.read('cancels', undefined)),
        rejection(connection.append(records('cancels', 'b', 1))),
      ]);
      for (const { code, message } of errors) {
        expect(code).toBe('ERR_ENGINE_UNAVAILABLE');
        expect(message).toMatch(/did not answer (read|append) within 400 ms/);
      }
      expect(idsOf((await readAll(connection, 'cancels')).records)).toContain('a0');
      // Its connection is silent, too, and still its own.
      expect(onEnd).not.toHaveBeenCalled();
      end(client);
    });

    it('a call also has its limit when no connection opens', async () => {
      const connection = await connect(makeClient(proxy.port), { limit: LIMIT });
      proxy.mute();
      for (let i = 0; i < 3; i++) await rejection(connection.read('cancels', undefined));
      proxy.heal();
      expect((await connection.read('cancels', undefined)).whole).toBe(true);
      proxy.cut();
      await rejection(connection.read('cancels', undefined));
      await rejection(connection.read('cancels', undefined));
      proxy.heal();
      expect((await connection.read('cancels', undefined)).whole).toBe(true);
    });

    it('check rejects when hints no longer arrive', async () => {
      const connection = await connect(makeClient(proxy.port), { limit: LIMIT });
      const { on } = hearing();
      const subscription = await connection.listen('me', on);
      await subscription.check();
      proxy.silence();
      expect((await rejection(subscription.check())).code).toBe('ERR_ENGINE_UNAVAILABLE');
      await subscription.close();
      const next = await connection.listen('me', on);
      await next.check();
    });

    it('a slow network in order loses nothing', async () => {
      const connection = await connect(makeClient(proxy.port));
      proxy.delay(50);
      const heard = hearing();
      const { hints } = await connection.listen('me', heard.on);
      expect(hints).toBe('push');
      await Promise.all([1, 2, 3].map((i) => connection.append(records('cancels', `${i}-`, 2))));
      await heard.topic('cancels');
      expect((await readAll(connection, 'cancels')).records).toHaveLength(6);
    });

    it('where publish and subscribe are forbidden, the engine polls', async () => {
      const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
      const login = { username: `deaf-${name}`, password: 'secret' };
      await admin.call('ACL', 'SETUSER', login.username, 'on', `>${login.password}`, '~*', '+@all', 'resetchannels');
      const connection = await connect(makeClient(server.port, login), { poll: 50, namespace: `deaf-${name}` });
      const heard = hearing();
      const subscription = await connection.listen('me', heard.on);
      expect(subscription.hints).toBe('polling');
      await subscription.check();
      const other = await connect(makeClient(server.port), { namespace: `deaf-${name}` });
      await other.append(records('cancels', 'a', 1));
      await heard.topic('cancels');
      await other.append(records('me', 'a', 1));
      await heard.topic('inbox');
      const slot = { name: 'slot', holder: 'h', ttl: 5_000, permits: 1 };
      const { fence } = (await other.hold(slot)) as { fence: number };
      await other.release({ ...slot, fence });
      await heard.topic('slots');
      // The subscription itself was forbidden: only its connection can tell that it may work again.
      await admin.call('ACL', 'SETUSER', login.username, 'allchannels');
      await admin.call('CLIENT', 'KILL', 'USER', login.username);
      await until('the subscription is broken', () => (heard.broken.length > 0 ? true : undefined));
      expect((await connection.listen('me', hearing().on)).hints).toBe('push');
      expect(warn.mock.calls).toEqual([[expect.stringMatching(/polls every 50 ms/)]]);
    });

    it('where publish alone is swallowed, the engine polls until hints arrive', async () => {
      vi.spyOn(console, 'warn').mockImplementation(() => {});
      const login = { username: `mute-${name}`, password: 'secret' };
      const user = ['ACL', 'SETUSER', login.username, 'on', `>${login.password}`, '~*', '&*', '+@all'] as const;
      await admin.call(...user, '-publish');
      const connection = await connect(makeClient(server.port, login), { poll: 50 });
      const heard = hearing();
      const subscription = await connection.listen('me', heard.on);
      expect(subscription.hints).toBe('polling');
      await subscription.check();
      await heard.topic('cancels');
      await admin.call(...user, '+publish');
      await subscription.check();
      await until('the subscription is broken', () => (heard.broken.length > 0 ? true : undefined));
      expect((await connection.listen('me', hearing().on)).hints).toBe('push');
    });

    it('a subscription whose first hint cannot be sent is no subscription', async () => {
      const connection = await connect(makeClient(proxy.port), { limit: LIMIT });
      // The connection for commands goes silent. The one for the subscription is new.
      proxy.silence();
      expect((await rejection(connection.listen('me', hearing().on))).code).toBe('ERR_ENGINE_UNAVAILABLE');
      expect((await connection.listen('me', hearing().on)).hints).toBe('push');
    });

    it('where INFO is forbidden, the engine warns and works', async () => {
      const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
      const login = { username: `blind-${name}`, password: 'secret' };
      // ioredis needs INFO itself, unless its ready check is off.
      await admin.call('ACL', 'SETUSER', login.username, 'on', `>${login.password}`, '~*', '&*', '+@all', '-info');
      const client =
        name === 'redis'
          ? makeClient(server.port, login)
          : new Redis({ host: '127.0.0.1', port: server.port, lazyConnect: true, enableReadyCheck: false, ...login });
      const connection = await connect(client);
      await connection.append(records('cancels', 'a', 1));
      expect(warn.mock.calls).toEqual([[expect.stringMatching(/INFO is forbidden/)]]);
    });

    it("the key prefix of the client separates, and is part of each key's name", async () => {
      const prefixed = (keyPrefix: string) =>
        name === 'redis'
          ? createClient({ socket: { host: '127.0.0.1', port: server.port }, keyPrefix } as object)
          : new Redis({ host: '127.0.0.1', port: server.port, lazyConnect: true, keyPrefix });
      const namespace = `prefix-${name}`;
      const [a, b] = await Promise.all([
        connect(prefixed('a:'), { namespace }),
        connect(prefixed('b:'), { namespace }),
      ]);
      const heard = hearing();
      await a.listen('me', heard.on);
      await heard.next('cancels', () => a.append(records('cancels', 'a', 1)));
      expect((await readAll(b, 'cancels')).records).toEqual([]);
      expect(await admin.exists(`a:{quiesce:${namespace}}:log:cancels`)).toBe(1);
    });

    it('a restart of the server breaks the subscription once, and a new one works', async () => {
      const own = await startRedis();
      try {
        const connection = await connect(makeClient(own.port), { limit: LIMIT });
        const { cursor } = await readAll(connection, 'cancels');
        await connection.append(records('cancels', 'a', 3));
        const heard = hearing();
        await connection.listen('me', heard.on);
        await own.kill();
        await until('the subscription is broken', () => (heard.broken.length > 0 ? true : undefined));
        await rejection(connection.read('cancels', cursor));
        await rejection(connection.listen('me', hearing().on));
        await own.restart();
        const again = hearing();
        expect((await connection.listen('me', again.on)).hints).toBe('push');
        // The data is lost: the first read says so, and the next one does not.
        const { wholeCount, records: found, cursor: next } = await readAll(connection, 'cancels', cursor);
        expect([wholeCount, found.length]).toEqual([1, 0]);
        await again.next('cancels', () => connection.append(records('cancels', 'a', 1)));
        const after = await readAll(connection, 'cancels', next);
        expect([after.wholeCount, idsOf(after.records)]).toEqual([0, ['a0']]);
        expect(heard.broken).toHaveLength(1);
      } finally {
        await own.stop();
      }
    });

    it('a read says whole after FLUSHALL, and after the data was replaced by an older copy', async () => {
      const own = await startRedis();
      const ownAdmin = new Redis(own.port, '127.0.0.1');
      ownAdmin.on('error', () => {});
      try {
        const connection = await connect(makeClient(own.port), { limit: LONG });
        await connection.append(records('cancels', 'a', 2));
        const old = await readAll(connection, 'cancels');
        await ownAdmin.save();
        await connection.append(records('cancels', 'b', 2));
        const late = await readAll(connection, 'cancels', old.cursor);
        // A crash, and a start with the copy from before.
        await own.kill();
        await own.restart();
        await until('Redis is back', async () =>
          connection.append(records('cancels', 'c', 2)).then(
            () => true as const,
            () => undefined,
          ),
        );
        const back = await readAll(connection, 'cancels', late.cursor);
        expect([back.wholeCount, idsOf(back.records)]).toEqual([1, ['a0', 'a1', 'c0', 'c1']]);
        // A member that had read no more than the copy has has missed nothing.
        const kept = await readAll(connection, 'cancels', old.cursor);
        expect([kept.wholeCount, idsOf(kept.records)]).toEqual([0, ['c0', 'c1']]);

        await until('Redis is back', async () =>
          ownAdmin.flushall().then(
            () => true as const,
            () => undefined,
          ),
        );
        const flushed = await readAll(connection, 'cancels', back.cursor);
        expect([flushed.wholeCount, flushed.records]).toEqual([1, []]);
        const empty = await readAll(connection, 'cancels', flushed.cursor);
        expect(empty.wholeCount).toBe(0);
        // A cursor of an empty log of before proves nothing either.
        await ownAdmin.flushall();
        expect((await readAll(connection, 'cancels', empty.cursor)).wholeCount).toBe(1);
        // Records and their ids are lost together.
        await connection.append(records('cancels', 'a', 1));
        expect(idsOf((await readAll(connection, 'cancels')).records)).toEqual(['a0']);
      } finally {
        ownAdmin.disconnect();
        await own.stop();
      }
    });

    it('cancels that living members saw survive FLUSHALL', async () => {
      const own = await startRedis();
      const ownAdmin = new Redis(own.port, '127.0.0.1');
      try {
        const engines = [1, 2, 3].map(() => redisEngine(makeClient(own.port)));
        await expectRepair(engines, async () => void (await ownAdmin.flushall()));
      } finally {
        ownAdmin.disconnect();
        await own.stop();
      }
    });

    it('cancels that living members saw survive the deletion of their log', async () => {
      const engines = [1, 2, 3].map(() => redisEngine(makeClient(server.port)));
      await expectRepair(engines, async () => {
        const logs = await admin.keys('{quiesce:repair-*}:log:cancels');
        await admin.del(...logs);
      });
    });

    it('an idle member sends at most 3 requests for each reread', async () => {
      const own = await startRedis();
      const ownAdmin = new Redis(own.port, '127.0.0.1');
      try {
        const count = async (): Promise<number> => {
          const stats = await ownAdmin.info('commandstats');
          const calls = [...stats.matchAll(/cmdstat_(evalsha|publish|ping|script\|load):calls=(\d+)/g)];
          return calls.reduce((sum, [, , calls]) => sum + Number(calls), 0);
        };
        expect(await idleRequests(redisEngine(makeClient(own.port)), count)).toBeLessThanOrEqual(3.2);
      } finally {
        ownAdmin.disconnect();
        await own.stop();
      }
    });

    it('a fence grows also when the data is lost', async () => {
      const own = await startRedis();
      const ownAdmin = new Redis(own.port, '127.0.0.1');
      try {
        const connection = await connect(makeClient(own.port));
        const slot = { name: 'slot', ttl: 60_000, permits: 1 };
        const { fence } = (await connection.hold({ ...slot, holder: 'a' })) as { fence: number };
        await ownAdmin.flushall();
        expect(await connection.hold({ ...slot, holder: 'a', fence })).toEqual({ lost: true });
        const { fence: next } = (await connection.hold({ ...slot, holder: 'b' })) as { fence: number };
        expect(next).toBeGreaterThan(fence);
      } finally {
        ownAdmin.disconnect();
        await own.stop();
      }
    });

    it('a replica, and a policy that evicts, are refused', async () => {
      const own = await startRedis(['--replicaof', '127.0.0.1', `${server.port}`]);
      try {
        const replica = await rejection(connect(makeClient(own.port)));
        expect([replica.code, replica.message]).toEqual(['ERR_ENGINE_UNAVAILABLE', expect.stringMatching(/replica/)]);
      } finally {
        await own.stop();
      }
      for (const [policy, isRefused] of [
        ['allkeys-lru', true],
        ['volatile-lru', false],
      ] as const) {
        const evicting = await startRedis(['--maxmemory-policy', policy]);
        try {
          const answer = await connect(makeClient(evicting.port)).catch((error) => error);
          expect(answer.code).toBe(isRefused ? 'ERR_FLEET_SCHEMA' : undefined);
          if (isRefused) expect(answer.message).toMatch(/maxmemory-policy allkeys-lru.*noeviction/);
        } finally {
          for (const connection of opened.splice(0)) await connection.close?.();
          await evicting.stop();
        }
      }
    });

    it('expired data leaves the server, and no key has a time to live', async () => {
      const own = await startRedis();
      const ownAdmin = new Redis(own.port, '127.0.0.1');
      try {
        const connection = await connect(makeClient(own.port), { namespace: 'n' });
        await connection.append([...records('cancels', 'a', 3), ...records('me', 'a', 3)]);
        await connection.meet({ id: 'me', ttl: 25, keep: 25 });
        await connection.hold({ name: 'slot', holder: 'h', ttl: 50, permits: 1 });
        const keys = await ownAdmin.keys('*');
        expect(keys).toHaveLength(10);
        for (const key of keys) expect(await ownAdmin.pttl(key)).toBe(-1);
        // Here all of it has expired, also the slot, which is kept for a day for its fence.
        const ends = '{quiesce:n}:ends';
        for (const name of await ownAdmin.zrange(ends, 0, -1)) await ownAdmin.zadd(ends, 0, name);
        await until('expired keys are deleted', async () => {
          await connection.meet(undefined);
          return (await ownAdmin.keys('*')).length === 1 ? true : undefined;
        });
        expect(await ownAdmin.keys('*')).toEqual(['{quiesce:n}:about']);
      } finally {
        ownAdmin.disconnect();
        await own.stop();
      }
    });

    it('expired records leave a log that is in use, except for 500 that keep cursors valid', async () => {
      const connection = await connect(makeClient(server.port), { namespace: `long-${name}` });
      const key = `{quiesce:long-${name}}:log:cancels`;
      await connection.append([...records('cancels', 'kept', 1), ...records('cancels', 'a', 400, 30)]);
      await connection.append(records('cancels', 'b', 400, 30));
      const { cursor } = await readAll(connection, 'cancels');
      let batch = 0;
      // The first record is alive, and does not hold up the others.
      await until('expired records are deleted', async () => {
        await connection.append(records('cancels', `c${batch++}-`, 100, 30));
        return batch > 8 && (await admin.xlen(key)) <= 700 ? true : undefined;
      });
      const all = await readAll(connection, 'cancels');
      expect(idsOf(all.records)).toContain('kept0');
      expect((await readAll(connection, 'cancels', all.cursor)).wholeCount).toBe(0);
      expect((await readAll(connection, 'cancels', cursor)).wholeCount).toBe(1);
    });
  });

  it('a node of a cluster works: all keys are in one slot', async () => {
    const own = await startRedis(['--cluster-enabled', 'yes']);
    const ownAdmin = new Redis(own.port, '127.0.0.1');
    try {
      await ownAdmin.call('CLUSTER', 'ADDSLOTS', ...Array.from({ length: 16_384 }, (_, i) => `${i}`));
      await until('the cluster works', async () =>
        ((await ownAdmin.call('CLUSTER', 'INFO')) as string).includes('cluster_state:ok') ? true : undefined,
      );
      const engine = redisEngine(clients.redis(own.port));
      await Promise.all(engineContract.map(({ run }) => run(engine)));
    } finally {
      ownAdmin.disconnect();
      await own.stop();
    }
  });

  it('a live cancel takes at most 400 bytes beyond its text', async () => {
    const own = await startRedis();
    const ownAdmin = new Redis(own.port, '127.0.0.1');
    try {
      const connection = await redisEngine(clients.redis(own.port)).connect('n', RETENTION);
      opened.push(connection);
      const memory = async (): Promise<number> => Number(/used_memory:(\d+)/.exec(await ownAdmin.info('memory'))?.[1]);
      await connection.append(records('cancels', 'warm', 1));
      const before = await memory();
      const [count, body] = [10_000, 'b'.repeat(100)];
      const one = (i: number) => ({ log: 'cancels', id: `${i}`.padStart(24, '0'), body, ttl: RETENTION });
      for (let i = 0; i < count; i += 500) await connection.append(Array.from({ length: 500 }, (_, k) => one(i + k)));
      expect(((await memory()) - before) / count - body.length).toBeLessThan(400);
    } finally {
      ownAdmin.disconnect();
      await own.stop();
    }
  });
});

/** Counts the scripts that were called. */
async function callsOf(admin: Redis): Promise<Record<string, number>> {
  const stats = await admin.info('commandstats');
  const found = [...stats.matchAll(/cmdstat_(eval\w*):calls=(\d+)/g)];
  return Object.fromEntries(found.map(([, command = '', calls]) => [command, Number(calls)]));
}

async function connectionCount(admin: Redis): Promise<number> {
  return Number(/connected_clients:(\d+)/.exec(await admin.info('clients'))?.[1]);
}

function ping(client: RedisClient): Promise<unknown> {
  return (client as unknown as { ping(): Promise<unknown> }).ping();
}

/** Ends a client of either package. */
function end(client: RedisClient): void {
  const { destroy, disconnect } = client as unknown as { destroy?(): void; disconnect(): void };
  (destroy ?? disconnect).call(client);
}
