// The programs of docs/guide/queues.md and of the README: each is stopped while a job is in progress.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Queue } from 'bullmq';
import { Kafka, logLevel, Partitioners } from 'kafkajs';
import PgBoss from 'pg-boss';
import { describe, expect, it, onTestFinished } from 'vitest';
import { nodeArgs } from '../../../test/programs.ts';
import { kafka, postgres, redis, startKafka, startPostgres, startRedis, type TestServer } from './servers.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const folder = `${root}docs/examples/queues/`;
const page = readFileSync(`${root}docs/guide/queues.md`, 'utf8');
const job = { to: 'ada@example.org' };

describe('the programs of the guide', () => {
  it.each(['bullmq', 'pg-boss', 'kafkajs'])('stand on the page: %s', (name) => {
    expect(page).toContain(readFileSync(`${folder}${name}.ts`, 'utf8'));
  });

  it('the program of BullMQ stands in the README', () => {
    const readme = readFileSync(`${root}packages/adapters/README.md`, 'utf8');
    expect(readme).toContain(readFileSync(`${folder}bullmq.ts`, 'utf8'));
  });

  it.skipIf(redis.isMissing)(`the worker of BullMQ gives its job back${redis.note}`, async () => {
    const server = await started(startRedis());
    const queue = new Queue('mails', { connection: { host: '127.0.0.1', port: server.port } });
    onTestFinished(() => queue.close());
    const { id } = await queue.add('welcome', job, { attempts: 1 });
    const output = await stopped('bullmq', { REDIS_URL: `redis://127.0.0.1:${server.port}` });
    expect(output).toContain(`cut off: mails (1 in flight): welcome ${id}`);
    expect(await queue.getJobCounts('wait', 'active', 'failed')).toEqual({ wait: 1, active: 0, failed: 0 });
  });

  it.skipIf(postgres.isMissing)(`the consumer of pg-boss gives its job back${postgres.note}`, async () => {
    const server = await started(startPostgres());
    const url = `postgres://postgres@127.0.0.1:${server.port}/postgres`;
    const boss = new PgBoss(url);
    // The test stops the server before the connections of this boss.
    boss.on('error', () => {});
    await boss.start();
    await boss.createQueue('mails');
    const id = (await boss.send('mails', job)) as string;
    const output = await stopped('pg-boss', { DATABASE_URL: url });
    expect(output).toContain(`cut off: mails (1 in flight): mails ${id}`);
    expect(await boss.getJobById('mails', id)).toMatchObject({ state: 'retry' });
    await boss.stop({ graceful: false });
  });

  it.skipIf(kafka.isMissing)(`the consumer of Kafka leaves its message uncommitted${kafka.note}`, async () => {
    const server = await started(startKafka());
    const broker = `127.0.0.1:${server.port}`;
    const client = new Kafka({ brokers: [broker], logLevel: logLevel.NOTHING });
    const producer = client.producer({ createPartitioner: Partitioners.DefaultPartitioner });
    await producer.connect();
    onTestFinished(() => producer.disconnect());
    await producer.send({ topic: 'mails', messages: [{ value: job.to, partition: 0 }] });
    const output = await stopped('kafkajs', { KAFKA_BROKER: broker });
    expect(output).toContain('cut off: mails (1 in flight): mails[0]@0');
    expect(await stopped('kafkajs', { KAFKA_BROKER: broker })).toContain('cut off: mails (1 in flight): mails[0]@0');
  });
});

async function started(starting: Promise<TestServer>): Promise<TestServer> {
  const server = await starting;
  onTestFinished(() => server.stop());
  return server;
}

/** Runs a program, sends SIGTERM when its job is in progress, and returns what it has printed. */
async function stopped(name: string, env: Record<string, string>): Promise<string> {
  const child: ChildProcess = spawn(process.execPath, await nodeArgs(`${folder}${name}.ts`), {
    env: { ...process.env, ...env, NO_COLOR: '1' },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let output = '';
  child.stdout?.on('data', (chunk) => {
    const isFirst = !output.includes('sending to');
    output += chunk;
    if (isFirst && output.includes(`sending to ${job.to}`)) child.kill('SIGTERM');
  });
  child.stderr?.on('data', (chunk) => {
    output += chunk;
  });
  expect(await once(child, 'close'), output).toEqual([1, null]);
  return output;
}
