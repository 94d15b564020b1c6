import { setTimeout as send } from 'node:timers/promises'; // in place of a mail server
import { drainableConsumer } from '@quiesce/adapters/kafkajs';
import { runMain } from '@quiesce/shutdown';
import { Kafka, logLevel } from 'kafkajs';

const kafka = new Kafka({
  brokers: [process.env['KAFKA_BROKER'] ?? '127.0.0.1:9092'],
  logLevel: logLevel.WARN,
});

await runMain(
  async (_scope, shutdown) => {
    const consumer = kafka.consumer({ groupId: 'mails' });
    await consumer.connect();
    await consumer.subscribe({ topic: 'mails', fromBeginning: true });
    const mails = await drainableConsumer(
      consumer,
      async ({ message }, token) => {
        console.log('sending to', String(message.value));
        await send(60_000, undefined, { signal: token.signal });
      },
      { name: 'mails', partitionsConsumedConcurrently: 4 },
    );
    shutdown.add(mails);
    await shutdown.stopAccepting.cancelled();
  },
  { drainTimeout: 1_000 },
);
