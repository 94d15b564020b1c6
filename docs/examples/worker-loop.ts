// The program from which this project started: five workers tick until Ctrl-C, and flush before they end.
//
//   Ctrl-C ──► one message to every worker (why) ──► one token (stop) ──► each worker leaves its loop and flushes
//
// No code here ends the process. It exits with 0 when no work is left.

import { type BroadcastReceiver, broadcast, CancellationToken, scope, select, sleep } from 'quiesce';

const WORKERS = 5;
const stop = new CancellationToken({ name: 'program' });
const [announcements, unused] = broadcast<string>(16);
unused.dispose(); // each worker subscribes for itself

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    const reached = announcements.send(signal);
    console.log(`main: ${signal} received, notified ${reached} workers`);
    stop.cancel(signal);
  });
}

async function worker(id: number, token: CancellationToken, news: BroadcastReceiver<string>): Promise<void> {
  let iterations = 0;
  for (;;) {
    // Biased: after a cancellation, the worker does not tick again.
    const { branch } = await select.biased({ cancelled: token, tick: sleep(100 + 20 * id) });
    if (branch === 'cancelled') break;
    iterations++;
    console.log(`worker ${id}: iteration ${iterations}`);
  }
  console.log(`worker ${id}: cancelled after ${iterations} iterations by ${await news.recv()}, flushing`);
  await sleep(50 + 30 * (WORKERS - id));
  console.log(`worker ${id}: cleanup complete`);
}

await scope(
  async (s) => {
    s.defer(() => console.log('main: all workers have stopped'));
    for (let id = 1; id <= WORKERS; id++) {
      const news = announcements.subscribe();
      s.spawn((token) => worker(id, token, news), { name: `worker ${id}` });
    }
    console.log(`main: ${WORKERS} workers started, process ${process.pid}`);
  },
  { signal: stop, name: 'workers' },
);
