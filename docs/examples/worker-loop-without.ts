// The same five workers as people write them without a library: the cleanup stands in a `finally`, and nothing listens
// to signals. On Ctrl-C the process is gone at once, and so are the cleanups.

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
