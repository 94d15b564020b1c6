// Runs the real KafkaJS against the broker that librdkafka contains.
import {
  type ConsumedMessage,
  type DrainableConsumerOptions,
  drainableConsumer,
  LockLostError,
} from '@quiesce/adapters/kafkajs';
import { CancellationToken, CleanupTimeoutError } from '@quiesce/cancellation-token';
import { Shutdown } from '@quiesce/shutdown';
import { type Consumer, type ConsumerConfig, Kafka, logLevel, Partitioners, type Producer } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kafka, startKafka, type TestServer } from './servers.ts';
import { gate, openHandleCount, rejection, until } from './vocabulary.ts';

type Work = (message: ConsumedMessage, token: CancellationToken) => unknown;

describe.skipIf(kafka.isMissing)(`a drainable consumer of KafkaJS${kafka.note}`, () => {
  let server: TestServer;
  let producer: Producer;
  let client: Kafka;
  let topicCount = 0;
  const consumers: Consumer[] = [];

  beforeAll(async () => {
    server = await startKafka();
    client = new Kafka({ brokers: [`127.0.0.1:${server.port}`], logLevel: logLevel.NOTHING });
    producer = client.producer({ createPartitioner: Partitioners.DefaultPartitioner });
    await producer.connect();
  });
  afterAll(async () => {
    await Promise.all(consumers.map((consumer) => consumer.disconnect()));
    await producer.disconnect();
    await server.stop();
  });

  /** Makes a topic with messages in its first partition, and starts a consumer of it. */
  async function start(work: Work, options: DrainableConsumerOptions = {}, more: Partial<ConsumerConfig> = {}) {
    const topic = `topic-${++topicCount}`;
    await producer.send({ topic, messages: ['a', 'b', 'c'].map((value) => ({ value, partition: 0 })) });
    return { topic, ...(await startNext(topic, work, options, more)) };
  }

  async function startNext(
    topic: string,
    work: Work,
    options: DrainableConsumerOptions = {},
    more: Partial<ConsumerConfig> = {},
  ) {
    // The broker waits `rebalanceTimeout` for a member that has left without a word. The default is a minute.
    const intervals = { heartbeatInterval: 100, sessionTimeout: 6_000, rebalanceTimeout: 6_000, maxWaitTimeInMs: 100 };
    const consumer = client.consumer({ groupId: topic, ...intervals, ...more });
    consumers.push(consumer);
    // This broker may refuse one consumer for good when another one leaves while both join. Then a new process would start.
    consumer.on('consumer.crash', ({ payload }) => {
      // After the end of the tests, there is no broker.
      if (!payload.restart) startNext(topic, work, options, more).catch(() => {});
    });
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    const drainable = await drainableConsumer(consumer, work, { heartbeatInterval: 100, ...options });
    return { drainable, consumer };
  }

  /** The values that a new consumer of the group receives, up to the last one of the topic. */
  async function remaining(topic: string): Promise<string[]> {
    const values: string[] = [];
    const { drainable } = await startNext(topic, ({ message }) => values.push(String(message.value)));
    await until(() => values.at(-1), 'c');
    await drainable.drain(CancellationToken.never);
    return values;
  }

  it.concurrent('waits for the message in progress and commits it, and leaves the next ones', async () => {
    const [begun, released] = [gate(), gate()];
    const { drainable, topic } = await start(async () => {
      begun.open();
      await released;
    });
    await begun;
    expect(drainable).toMatchObject({ name: 'kafka', inFlightNames: [`${topic}[0]@0`], inFlightCount: 1 });
    drainable.stop();
    expect(drainable.isAccepting).toBe(false);
    const drained = drainable.drain(CancellationToken.never);
    released.open();
    await drained;
    expect(await remaining(topic)).toEqual(['b', 'c']);
  });

  it.concurrent('cancels the token with the reason of `abort`, and does not commit the message', async () => {
    const begun = gate();
    let reason: unknown;
    const { drainable, topic } = await start(async (_, token) => {
      begun.open();
      await token.cancelled();
      reason = token.reason;
      throw reason;
    });
    await begun;
    drainable.abort('deploy');
    await drainable.drain(CancellationToken.never);
    expect(reason).toBe('deploy');
    expect(await remaining(topic)).toEqual(['a', 'b', 'c']);
  });

  it.concurrent('cancels the token when the signal of `drain` is cancelled, and rejects with its reason', async () => {
    const begun = gate();
    const { drainable } = await start(async (_, token) => {
      begun.open();
      await token.cancelled();
      throw token.reason;
    });
    await begun;
    const deadline = new CancellationToken();
    const drained = rejection(drainable.drain(deadline));
    deadline.cancel('deadline');
    expect(await drained).toBe('deadline');
  });

  it.concurrent('commits a message whose work fulfils after the cancellation', async () => {
    const begun = gate();
    const { drainable, topic } = await start(async (_, token) => {
      begun.open();
      await token.cancelled();
    });
    await begun;
    drainable.abort('deploy');
    await drainable.drain(CancellationToken.never);
    expect(await remaining(topic)).toEqual(['b', 'c']);
  });

  it.concurrent('leaves a message uncommitted whose work ignores its token, and names it', async () => {
    const [begun, released] = [gate(), gate()];
    const { drainable, topic } = await start(
      async () => {
        begun.open();
        await released;
      },
      { name: 'orders', cleanupTimeout: 20 },
    );
    await begun;
    drainable.abort('deploy');
    const error = (await rejection(drainable.drain(CancellationToken.never))) as CleanupTimeoutError;
    expect(error).toBeInstanceOf(CleanupTimeoutError);
    expect(error.unfinished).toMatchObject([{ name: `${topic}[0]@0` }]);
    released.open();
    expect(await remaining(topic)).toEqual(['a', 'b', 'c']);
  });

  it.concurrent('receives a message again whose work failed', async () => {
    const values: string[] = [];
    const { drainable } = await start(({ message }) => {
      values.push(String(message.value));
      if (values.length === 2) throw new Error('no connection');
    });
    await until(() => values.at(-1), 'c');
    await drainable.drain(CancellationToken.never);
    expect(values).toEqual(['a', 'b', 'b', 'c']);
  });

  it.concurrent('sends heartbeats during a long message', async () => {
    const values: string[] = [];
    const { drainable } = await start(
      async ({ message }, token) => {
        if (values.length === 0) await new Promise((resolve) => setTimeout(resolve, 5_000));
        values.push(`${message.value} ${token.isCancelled}`);
      },
      { sessionTimeout: 4_000 },
      { sessionTimeout: 4_000 },
    );
    await until(() => values.length, 3);
    await drainable.drain(CancellationToken.never);
    expect(values).toEqual(['a false', 'b false', 'c false']);
  });

  it.concurrent('cancels the token after `rebalanceGrace` when another consumer joins, and commits nothing', async () => {
    const begun = gate();
    let reason: unknown;
    const values: string[] = [];
    const { drainable, topic } = await start(
      async ({ message }, token) => {
        if (reason === undefined) {
          begun.open();
          await token.cancelled();
          reason = token.reason;
          throw reason;
        }
        values.push(String(message.value));
      },
      { rebalanceGrace: 50 },
    );
    await begun;
    const next = await startNext(topic, ({ message }) => values.push(String(message.value)));
    await until(() => values.at(-1), 'c');
    expect(reason).toBeInstanceOf(LockLostError);
    expect(reason).toMatchObject({ code: 'ERR_LOCK_LOST', job: `${topic}[0]@0` });
    expect(values).toEqual(['a', 'b', 'c']);
    await Promise.all([drainable.drain(CancellationToken.never), next.drainable.drain(CancellationToken.never)]);
  });

  it.concurrent('lets the message in progress finish before a rebalance', async () => {
    const [begun, released] = [gate(), gate()];
    const values: string[] = [];
    const work: Work = async ({ message }, token) => {
      begun.open();
      await released;
      values.push(`${message.value} ${token.isCancelled}`);
    };
    const { drainable, consumer, topic } = await start(work);
    const rebalancing = gate();
    consumer.on('consumer.rebalancing', () => rebalancing.open());
    await begun;
    const next = startNext(topic, work);
    await new Promise((resolve) => setTimeout(resolve, 500));
    released.open();
    await rebalancing;
    await until(() => values.includes('c false'), true);
    await Promise.all([drainable, (await next).drainable].map((one) => one.drain(CancellationToken.never)));
    // This broker refuses commits during a rebalance, so `a` comes again. Kafka accepts them.
    expect(values).toEqual(['a false', 'a false', 'b false', 'c false']);
  });

  it.concurrent('loses no message when it is cut off during a rebalance', async () => {
    const begun = gate();
    const { drainable, topic } = await start(async (_, token) => {
      begun.open();
      await token.cancelled();
      throw token.reason;
    });
    await begun;
    const values = new Set<string>();
    const next = startNext(topic, ({ message }) => values.add(String(message.value)));
    await new Promise((resolve) => setTimeout(resolve, 500));
    drainable.abort('deploy');
    await drainable.drain(CancellationToken.never);
    await until(() => values.size, 3);
    await (await next).drainable.drain(CancellationToken.never);
    expect([...values]).toEqual(['a', 'b', 'c']);
  });

  it.concurrent('keeps the message in progress during a rebalance when `rebalanceGrace` is Infinity', async () => {
    const [begun, released] = [gate(), gate()];
    let isCancelled: boolean | undefined;
    const { drainable, topic } = await start(
      async (_, token) => {
        begun.open();
        await released;
        isCancelled ??= token.isCancelled;
      },
      { rebalanceGrace: Number.POSITIVE_INFINITY },
    );
    await begun;
    const next = startNext(topic, () => {});
    await new Promise((resolve) => setTimeout(resolve, 500));
    released.open();
    await until(() => isCancelled, false);
    await Promise.all([drainable, (await next).drainable].map((one) => one.drain(CancellationToken.never)));
  });

  it.concurrent('drains in a shutdown, which reports the message that was cut off', async () => {
    const begun = gate();
    const { drainable, topic } = await start(async (_, token) => {
      begun.open();
      await token.cancelled();
      throw token.reason;
    });
    await begun;
    const shutdown = new Shutdown({ drainTimeout: 50 });
    shutdown.add(drainable);
    shutdown.request('SIGTERM');
    const { cutOff, errors } = await shutdown.stopped();
    expect([cutOff, errors]).toEqual([[{ name: 'kafka', inFlightCount: 1, names: [`${topic}[0]@0`] }], []]);
  });

  it('refuses a `heartbeatInterval` that is not shorter than `sessionTimeout`', async () => {
    const consumer = client.consumer({ groupId: 'unused' });
    const error = await rejection(drainableConsumer(consumer, () => {}, { heartbeatInterval: 30_000 }));
    expect(String(error)).toMatch(
      /^RangeError: drainableConsumer: heartbeatInterval must be shorter than sessionTimeout/,
    );
  });

  it('cancels the token when the broker does not answer for as long as the session lasts', async () => {
    const [begun, lost] = [gate(), gate()];
    let reason: unknown;
    const { drainable } = await start(
      async (_, token) => {
        begun.open();
        await token.cancelled();
        reason ??= token.reason;
        lost.open();
        throw token.reason;
      },
      { sessionTimeout: 500, cleanupTimeout: 10 },
    );
    await begun;
    server.freeze();
    await lost;
    server.thaw();
    drainable.abort('end of the test');
    await drainable.drain(CancellationToken.never);
    expect(String(reason)).toContain('its session has timed out');
  });

  it('leaves no socket and no timer open', async () => {
    const before = openHandleCount();
    const values: string[] = [];
    const { drainable } = await start(({ message }) => values.push(String(message.value)));
    await until(() => values.length, 3);
    await drainable.drain(CancellationToken.never);
    await until(() => openHandleCount() <= before, true);
  });
});
