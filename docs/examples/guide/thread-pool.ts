// The guide, chapter 5, "The ThreadPool Pattern": threads run jobs; a closed pool finishes its queue and joins its threads.
//
// The threads are real threads of `piscina`, and `runInPool` passes a token to them. The `WorkerPool` in front has the
// queue. It ends like the guide's pool, by closing the queue (the guide never sends its `Terminate`). The `close` of
// piscina 5.3 would end threads with running jobs. The guide's "Memory Ordering" (chapter 4) is here too: the flag is
// in shared memory. The reason is sent before the flag is set, so a thread that sees the flag finds the reason.
//
// Run it with --import ./docs/examples/guide/tsx-in-threads.mjs

import { once } from 'node:events';
import { MessageChannel } from 'node:worker_threads';
import { CancellationToken } from '@quiesce/cancellation-token';
import { WorkerPool } from '@quiesce/worker-pool';
import { runInPool } from '@quiesce/worker-pool/node';
import { Piscina } from 'piscina';

const size = 2; // the guide has four; use one for each processor
const filename = new URL('thread-pool-jobs.ts', import.meta.url).href;
const threads = new Piscina({ filename, minThreads: size, maxThreads: size });
const pool = new WorkerPool({ name: 'threads', concurrency: size });

const { port1, port2 } = new MessageChannel();
const stop = new CancellationToken();
const spinning = pool.execute(
  (token) => runInPool<string>(threads, port2, { name: 'spin', signal: token, transferList: [port2] }),
  { signal: stop },
);
await once(port1, 'message');
stop.cancel('deploy');
console.log(`an endless job ${await spinning}`);

const jobs = [10, 100, 1_000, 10_000, 100_000].map((limit) =>
  pool.execute((token) => runInPool<number>(threads, limit, { name: 'countPrimes', signal: token })),
);
console.log(`closing the pool: ${pool.activeCount} jobs are running, ${pool.queuedCount} are queued`);
const { completedCount: finished } = await pool.shutdown({ timeout: 60_000 });
console.log(`${finished} jobs finished: ${(await Promise.all(jobs)).join(', ')}`);
await threads.destroy();
console.log(`all workers shut down, ${threads.threads.length} threads are left`);

// Output:
//   an endless job saw the flag, and found the reason: deploy
//   closing the pool: 2 jobs are running, 3 are queued
//   5 jobs finished: 4, 25, 168, 1229, 9592
//   all workers shut down, 0 threads are left
