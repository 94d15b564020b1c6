import { Kvm } from '@nats-io/kv';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { nats, startNats, type TestServer } from '../../adapters/test/servers.ts';
import { engineContract } from '../src/engine-contract.ts';
import { natsEngine } from '../src/nats-engine.ts';

describe.skipIf(nats.isMissing)(`natsEngine on a NATS server with JetStream${nats.note}`, () => {
  let server: TestServer;
  let connection: NatsConnection;
  beforeAll(async () => {
    server = await startNats();
    connection = await connect({ servers: `127.0.0.1:${server.port}`, maxReconnectAttempts: -1 });
  });
  afterAll(async () => {
    await connection.close();
    await server.stop();
  });

  it.concurrent.each(engineContract.map((one) => [one.name, one] as const))('%s', (_, { run }) =>
    run(natsEngine({ connection, kv: new Kvm(connection) })),
  );
});
