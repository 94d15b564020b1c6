// Runs the NATS engine against real servers with JetStream, through a network that fails.
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Kvm } from '@nats-io/kv';
import { connect as connectNats, type NatsConnection } from '@nats-io/transport-node';
import { type EngineConnection, natsEngine } from '@quiesce/fleet';
import { engineContract } from '@quiesce/fleet/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { nats, startNats, type TestServer } from '../../adapters/test/servers.ts';
import { idsOf, readAll, records, until } from '../src/contract/world.ts';
import { expectRepair, hearing, idleRequests, rejection } from './engine-vocabulary.ts';
import { startProxy, type TestProxy } from './proxy.ts';

const RETENTION = 3_600_000;

describe.skipIf(nats.isMissing)(`natsEngine on a NATS server with JetStream${nats.note}`, () => {
  let server: TestServer;
  let client: NatsConnection;
  let proxy: TestProxy;
  const ends: (() => Promise<unknown>)[] = [];
  let namespaceCount = 0;

  beforeAll(async () => {
    server = await startNats();
    client = await connectTo(server.port);
    proxy = await startProxy(server.port);
  });
  afterEach(async () => {
    proxy.heal();
    for (const end of ends.splice(0).reverse()) await end();
  });
  afterAll(async () => {
    await client.close();
    await proxy.close();
    await server.stop();
  });

  function connectTo(port: number): Promise<NatsConnection> {
    return connectNats({ servers: `127.0.0.1:${port}`, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
  }

  /** Opens a connection that ends after the test. */
  async function openClient(port: number): Promise<NatsConnection> {
    const opened = await connectTo(port);
    ends.push(() => opened.close());
    return opened;
  }

  /** Connects a fleet in a namespace of its own. */
  async function connect(connection: NatsConnection, namespace = `n${++namespaceCount}`): Promise<EngineConnection> {
    const fleet = await natsEngine({ connection, kv: new Kvm(connection) }).connect(namespace, RETENTION, {
      requestTimeout: 2_000,
    });
    ends.push(async () => fleet.close?.());
    return fleet;
  }

  it.concurrent.each(engineContract.map((one) => [one.name, one] as const))('%s', (_, { run }) =>
    run(natsEngine({ connection: client, kv: new Kvm(client) })),
  );

  it('each method has its number of requests', async () => {
    const own = await openClient(server.port);
    const engine = await connect(own);
    const slot = { name: 'slot', holder: 'h', ttl: 5_000, permits: 1 };
    await engine.listen('me', hearing().on);
    await engine.meet({ id: 'me', ttl: 5_000, keep: 5_000 });
    await engine.release({ ...slot, fence: 0 });
    const count = async (act: () => Promise<unknown>): Promise<number> => {
      // Flow control is answered in its own time.
      await own.flush();
      const before = own.stats().outMsgs;
      await act();
      return own.stats().outMsgs - before;
    };
    let fence = 0;
    let cursor: unknown;
    const counts = {
      read: await count(async () => ({ cursor } = await engine.read('cancels', undefined))),
      append: await count(() => engine.append(records('cancels', 'a', 2))),
      readMore: await count(() => engine.read('cancels', cursor)),
      inbox: await count(() => engine.read('me', undefined)),
      meet: await count(() => engine.meet({ id: 'me', ttl: 5_000, keep: 5_000 })),
      // The bucket is opened with the first lease.
      open: (await count(() => engine.hold({ ...slot, name: 'other' }))) > 2,
      acquire: await count(async () => ({ fence } = (await engine.hold(slot)) as { fence: number })),
      renew: await count(() => engine.hold({ ...slot, fence })),
      wait: await count(() => engine.hold({ ...slot, holder: 'other' })),
      release: await count(() => engine.release({ ...slot, fence })),
      leave: await count(() => engine.leave('me')),
    };
    expect(counts).toEqual({
      read: 1,
      append: 2,
      readMore: 1,
      inbox: 1,
      meet: 1,
      open: true,
      acquire: 2,
      renew: 1,
      wait: 1,
      release: 2,
      leave: 1,
    });
  });

  it('close ends the watches, and leaves the connection alone', async () => {
    const own = await openClient(server.port);
    const before = openCount(own);
    const engine = await connect(own);
    // The client's own, for the answers of requests.
    await engine.read('cancels', undefined);
    await engine.listen('me', hearing().on);
    expect(openCount(own)).not.toEqual(before);
    const waiting = rejection(engine.read('cancels', undefined));
    await engine.close?.();
    expect((await waiting).code).toBe('ERR_CLOSED');
    expect((await rejection(engine.read('cancels', undefined))).code).toBe('ERR_CLOSED');
    await until('the watches end', () => (openCount(own).join() === [before[0], 1].join() ? true : undefined));
    expect(await own.rtt()).toBeGreaterThanOrEqual(0);
  });

  it('a server that is killed breaks the subscription once it is back, and has kept every acknowledged write', async () => {
    const other = await startNats();
    ends.push(() => other.stop());
    const own = await openClient(other.port);
    const engine = await connect(own);
    const heard = hearing();
    await engine.listen('me', heard.on);
    await engine.meet({ id: 'me', ttl: 60_000, keep: 60_000 });
    const { fence } = (await engine.hold({ name: 's', holder: 'h', ttl: 60_000, permits: 1 })) as { fence: number };
    for (let i = 0; i < 20; i++) await engine.append(records('cancels', `a${i}-`, 5));
    const { cursor } = await readAll(engine, 'cancels');
    await other.kill();
    await rejection(engine.read('cancels', cursor));
    await other.restart();
    await until('the subscription is broken', () => (heard.broken.length > 0 ? true : undefined));
    const again = hearing();
    await until('the server is back', () => settled(engine.listen('me', again.on)));
    const back = await readAll(engine, 'cancels', cursor);
    expect([back.wholeCount, back.records.length]).toEqual([1, 100]);
    expect(idsOf(await engine.meet(undefined))).toEqual(['me']);
    expect(await engine.hold({ name: 's', holder: 'h', ttl: 60_000, permits: 1, fence })).toEqual({ fence });
    await again.next('cancels', () => engine.append(records('cancels', 'b', 1)));
    expect(idsOf((await readAll(engine, 'cancels', back.cursor)).records)).toEqual(['b0']);
    expect(heard.broken).toHaveLength(1);
  });

  it('a read says whole after the data was replaced by an older copy, and after it was lost', async () => {
    const other = await startNats();
    ends.push(() => other.stop());
    const own = await openClient(other.port);
    const engine = await connect(own);
    const store = join(other.folder, 'jetstream');
    const copy = join(other.folder, 'copy');
    await engine.append(records('cancels', 'a', 2));
    await readAll(engine, 'cancels');
    const replace = async (act: () => void): Promise<void> => {
      await other.kill();
      act();
      await other.restart();
    };
    await replace(() => cpSync(store, copy, { recursive: true }));
    const { cursor: old } = await until('the server is back', () => settled(readAll(engine, 'cancels')));
    await engine.append(records('cancels', 'b', 2));
    const late = await readAll(engine, 'cancels', old);
    await replace(() => {
      rmSync(store, { recursive: true });
      cpSync(copy, store, { recursive: true });
    });
    await until('the server is back', () => settled(engine.append(records('cancels', 'c', 4)).then(() => true)));
    const back = await readAll(engine, 'cancels', late.cursor);
    expect([back.wholeCount, idsOf(back.records)]).toEqual([1, ['a0', 'a1', 'c0', 'c1', 'c2', 'c3']]);
    await replace(() => rmSync(store, { recursive: true }));
    const lost = await until('the server is back', () => settled(readAll(engine, 'cancels', back.cursor)));
    expect([lost.wholeCount, lost.records]).toEqual([1, []]);
    await engine.append(records('cancels', 'a', 1));
    const { records: found, wholeCount } = await readAll(engine, 'cancels', lost.cursor);
    expect([wholeCount, idsOf(found)]).toEqual([0, ['a0']]);
  });

  it('a read says whole after the bucket was deleted under its watch', async () => {
    const engine = await connect(client, 'deleted');
    await engine.listen('me', hearing().on);
    await engine.append(records('cancels', 'a', 3));
    const { cursor } = await readAll(engine, 'cancels');
    const bucket = await new Kvm(client).open('quiesce_deleted_log');
    await bucket.destroy();
    const gone = await until('the bucket is made anew', () => settled(readAll(engine, 'cancels', cursor)));
    expect([gone.wholeCount, gone.records]).toEqual([1, []]);
    await bucket.destroy();
    const other = await connect(client, 'deleted');
    await other.append(records('cancels', 'b', 8));
    const found = await readAll(engine, 'cancels', gone.cursor);
    expect([found.wholeCount, found.records.length]).toEqual([1, 8]);
  });

  it('cancels that living members saw survive the purge of their stream', async () => {
    const other = await startNats();
    ends.push(() => other.stop());
    const clients = await Promise.all([1, 2, 3].map(() => openClient(other.port)));
    const engines = clients.map((connection) => natsEngine({ connection, kv: new Kvm(connection) }));
    await expectRepair(engines, async () => {
      const [connection] = clients as [NatsConnection];
      const { streams } = (await connection.request('$JS.API.STREAM.NAMES')).json<{ readonly streams: string[] }>();
      const log = streams.find((name) => name.endsWith('_log'));
      await connection.request(`$JS.API.STREAM.PURGE.${log}`);
    });
  });

  it('cancels that living members saw survive the loss of all data', async () => {
    const other = await startNats();
    ends.push(() => other.stop());
    const engines = await Promise.all(
      [1, 2, 3].map(async () => {
        const connection = await openClient(other.port);
        return natsEngine({ connection, kv: new Kvm(connection) });
      }),
    );
    await expectRepair(engines, async () => {
      await other.kill();
      rmSync(join(other.folder, 'jetstream'), { recursive: true });
      await other.restart();
    });
  });

  it('an idle member sends at most 5 requests for each reread', async () => {
    const connection = await openClient(server.port);
    // A ping is no message.
    let pings = 0;
    const rtt = connection.rtt.bind(connection);
    connection.rtt = () => {
      pings++;
      return rtt();
    };
    const engine = natsEngine({ connection, kv: new Kvm(connection) });
    expect(await idleRequests(engine, () => connection.stats().outMsgs + pings)).toBeLessThanOrEqual(5);
  });

  it('on a connection that has gone silent, check finds out, and the next call works', async () => {
    const own = await openClient(proxy.port);
    const engine = await connect(own);
    const heard = hearing();
    const subscription = await engine.listen('me', heard.on);
    await subscription.check();
    await engine.append(records('cancels', 'a', 1));
    proxy.silence();
    expect((await rejection(subscription.check())).code).toBe('ERR_ENGINE_UNAVAILABLE');
    await until('the subscription is broken', () => (heard.broken.length > 0 ? true : undefined));
    const again = hearing();
    await until('the connection works', () => settled(engine.listen('me', again.on)));
    expect(idsOf((await readAll(engine, 'cancels')).records)).toEqual(['a0']);
    await again.next('cancels', () => engine.append(records('cancels', 'b', 1)));
  });

  it('on a connection that has gone silent, a call over its limit makes later ones work, also without a subscription', async () => {
    const own = await openClient(proxy.port);
    const engine = await connect(own);
    await engine.append(records('cancels', 'a', 1));
    proxy.silence();
    expect((await rejection(engine.append(records('cancels', 'b', 1)))).message).toBeDefined();
    await until('the connection works', () => settled(engine.append(records('cancels', 'c', 1)).then(() => true)));
  });

  it('a slow network in order loses nothing', async () => {
    const own = await openClient(proxy.port);
    const engine = await connect(own);
    const heard = hearing();
    await engine.listen('me', heard.on);
    proxy.delay(50);
    const { cursor } = await readAll(engine, 'cancels');
    await Promise.all([1, 2, 3].map((i) => engine.append(records('cancels', `${i}-`, 2))));
    const { records: found, wholeCount } = await readAll(engine, 'cancels', cursor);
    expect([found.length, wholeCount]).toEqual([6, 0]);
    await heard.topic('cancels');
  });

  it('permits of one slot are exclusive across connections and their renewals, under contention', async () => {
    const engines = await Promise.all([connect(client, 'contended'), connect(client, 'contended')]);
    let [running, most, granted] = [0, 0, 0];
    const slot = { name: 's', ttl: 60_000, permits: 2 };
    const contend = async (engine: EngineConnection, holder: string): Promise<void> => {
      const { fence } = await until('a permit', async () => {
        const answer = await engine.hold({ ...slot, holder });
        return 'fence' in answer ? answer : undefined;
      });
      most = Math.max(most, ++running);
      granted++;
      // Both permits are granted at the same time.
      await until('two holders', () => (most === 2 ? true : undefined));
      expect(await engine.hold({ ...slot, holder, fence })).toEqual({ fence });
      running--;
      await engine.release({ ...slot, holder, fence });
    };
    await Promise.all(Array.from({ length: 8 }, (_, i) => contend(engines[i % 2] as EngineConnection, `h${i}`)));
    expect([granted, most]).toEqual([8, 2]);
  });

  it('a holder from before the loss of all data renews no permit of another holder, and gives none back', async () => {
    const other = await startNats();
    ends.push(() => other.stop());
    const [first, second] = (await Promise.all(
      [1, 2].map(async () => await connect(await openClient(other.port), 'lost')),
    )) as [EngineConnection, EngineConnection];
    const slot = { name: 's', ttl: 60_000, permits: 1 };
    const granted = await first.hold({ ...slot, holder: 'first' });
    await other.kill();
    rmSync(join(other.folder, 'jetstream'), { recursive: true });
    await other.restart();
    const hold = (): Promise<unknown> => second.hold({ ...slot, holder: 'second' });
    // The revisions begin again: both permits have the same one.
    expect(await until('the server is back', () => settled(hold()))).toEqual(granted);
    const { fence } = granted as { readonly fence: number };
    const mine = { ...slot, holder: 'first', fence };
    await until('the connection is back', () => settled(first.meet(undefined)));
    await first.release(mine);
    expect(await first.hold(mine)).toEqual({ lost: true });
    expect(await second.hold({ ...slot, holder: 'second', fence })).toEqual({ fence });
  });

  it('a record that is larger than the server accepts is refused before anything is stored', async () => {
    const engine = await connect(client);
    const big = { log: 'cancels', id: 'big', body: 'b'.repeat(2_000_000), ttl: 1_000 };
    await expect(engine.append([...records('cancels', 'a', 2), big])).rejects.toThrow(RangeError);
    expect((await readAll(engine, 'cancels')).records).toEqual([]);
  });
});

/** Returns `undefined` in place of a failure. */
function settled<T>(promise: Promise<T>): Promise<T | undefined> {
  return promise.catch(() => undefined);
}

/** Counts the iterators of its status, and its subscriptions. */
function openCount(connection: NatsConnection): [status: number, subscriptions: number] {
  const { protocol } = connection as unknown as {
    protocol: { listeners: unknown[]; subscriptions: { subs: Map<number, unknown> } };
  };
  return [protocol.listeners.length, protocol.subscriptions.subs.size];
}
