// The same five workers without a library: the cleanup is in a `finally`, and no code listens to signals. On Ctrl-C the
// process ends at once, and no cleanup runs.

import { setTimeout as delay } from 'node:timers/promises';

const WORKERS = 5;

async function worker(id: number): Promise<void> {
  let iterations = 0;
  try {
    for (;;) {
      await delay(100 + 20 * id);
      iterations++;
      console.log(`worker ${id}: iteration ${iterations}`);
    }
  } finally {
    await delay(50 + 30 * (WORKERS - id));
    console.log(`worker ${id}: cleanup complete`);
  }
}

console.log(`main: ${WORKERS} workers started, process ${process.pid}`);
await Promise.all(Array.from({ length: WORKERS }, (_, index) => worker(index + 1)));
