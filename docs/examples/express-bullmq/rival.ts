// The same program with close-with-grace.
import { createServer } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { Queue, WaitingError, Worker } from 'bullmq';
import closeWithGrace from 'close-with-grace';
import express from 'express';
import { type Mail, send } from './mails.ts';

const connection = { url: process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379' };
let isStopping = false;

const queue = new Queue<Mail>('mails', { connection });
queue.on('error', (error) => console.error(error));

const worker = new Worker<Mail>(
  'mails',
  async (job, lockToken, signal) => {
    try {
      await send(job.data, signal as AbortSignal);
    } catch (error) {
      if (!signal?.aborted) throw error;
      console.error(`cut off: mail ${job.id}`);
      await job.moveToWait(lockToken);
      throw new WaitingError();
    }
  },
  { connection, concurrency: 50 },
);
worker.on('error', (error) => console.error(error));

const app = express();
const server = createServer(app);
app.use((_req, res, next) => {
  if (isStopping) res.set('Connection', 'close');
  next();
});
app.get('/live', (_req, res) => void res.send('live'));
app.get('/ready', (_req, res) => {
  res.status(isStopping ? 503 : 200).send(isStopping ? 'stopping' : 'ready');
});
app.post('/mails', express.json(), async (req, res) => {
  await queue.add('mail', req.body, { jobId: req.body.id, attempts: 3 });
  res.sendStatus(202);
});

closeWithGrace({ delay: 12_000 }, async ({ signal, err }) => {
  if (err === undefined) console.error(`shutting down: ${signal}`);
  else console.error(err);
  isStopping = true;
  setTimeout(() => worker.cancelAllJobs(), 10_000);
  // For a second, each answer ends its connection: `server.close` cuts off requests that arrive while it ends idle connections.
  await delay(1_000);
  await Promise.all([new Promise((closed) => server.close(closed)), worker.close()]);
  await queue.close();
});
const port = Number(process.env['PORT'] ?? 0);
server.listen(port, '127.0.0.1', () => console.log('listening on', server.address()));
