import { setTimeout as send } from 'node:timers/promises'; // in place of a mail server
import { drainableWorker } from '@quiesce/adapters/bullmq';
import { runMain } from '@quiesce/shutdown';
import { Worker } from 'bullmq';

const connection = { url: process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379' };

await runMain(
  async (_scope, shutdown) => {
    const mails = drainableWorker(
      (processor) => new Worker<{ to: string }>('mails', processor, { connection, concurrency: 5 }),
      async ({ data }, token) => {
        console.log('sending to', data.to);
        await send(60_000, undefined, { signal: token.signal });
      },
    );
    mails.worker.on('error', (error) => console.error(error));
    shutdown.add(mails);
    await shutdown.stopAccepting.cancelled();
  },
  { drainTimeout: 1_000 },
);
