// Takes mails, and sends them in jobs. On SIGTERM, requests and jobs in progress are finished, or go back to the queue.
import { createServer } from 'node:http';
import { drainableWorker } from '@quiesce/adapters/bullmq';
import { expressDrain } from '@quiesce/adapters/express';
import { Queue, Worker } from 'bullmq';
import express from 'express';
import { runMain } from 'quiesce/node';
import { type Mail, send } from './mails.ts';

const connection = { url: process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379' };

await runMain(
  async (_scope, shutdown) => {
    const queue = new Queue<Mail>('mails', { connection });
    queue.on('error', (error) => console.error(error));
    shutdown.hook('queue', () => queue.close());

    const jobs = drainableWorker(
      (processor) => new Worker<Mail>('mails', processor, { connection, concurrency: 50 }),
      ({ data }, token) => send(data, token.signal),
    );
    jobs.worker.on('error', (error) => console.error(error));
    shutdown.add(jobs);

    const app = express();
    const server = createServer(app);
    const drain = expressDrain(server, { shutdown });
    app.use(drain);
    app.post('/mails', express.json(), async (req, res) => {
      await queue.add('mail', req.body, { jobId: req.body.id, attempts: 3 });
      res.sendStatus(202);
    });
    app.use(drain.errorHandler);

    const port = Number(process.env['PORT'] ?? 0);
    server.listen(port, '127.0.0.1', () => console.log('listening on', server.address()));
    await shutdown.stopAccepting.cancelled();
  },
  { name: 'mails' },
);
