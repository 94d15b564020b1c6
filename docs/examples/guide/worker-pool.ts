// The guide, chapter 11, "Complete Production-Grade Example": a worker pool shuts down in phases, within a time limit.
//
// There are two differences. The guide's count omits queued tasks, and its last phase joins without a limit, so its
// timeout limits nothing. Here `shutdown` ends within its limits and names the tasks that did not stop. And with the
// guide's numbers (10 tasks of 300 ms, 4 workers, 1 s), all tasks end before the shutdown, unlike its "expected
// output". Here the shutdown starts at 400 ms.

import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { sleep } from '@quiesce/select';
import { WorkerPool } from '@quiesce/worker-pool';

const clock = new VirtualClock(); // takes no real time, and each run prints the same
const say = (text: string): void => console.log(`${String(clock.now()).padStart(4)} ms  ${text}`);

const pool = new WorkerPool({ name: 'production', concurrency: 4, cleanupTimeout: 1_000, clock });

async function task(id: number): Promise<void> {
  await sleep(300, { clock });
  if (id === 6) throw new Error('task 6 has failed');
  say(`task ${id} complete`);
}

/** Never ends, and never checks its token. */
const unresponsive = (): Promise<never> => new Promise(() => {});

await clock.run(async () => {
  for (let id = 0; id < 10; id++) {
    pool.execute(() => task(id), { name: `task ${id}` }).catch((error) => say(error.message)); // stops no worker
  }
  void pool.execute(unresponsive);
  await sleep(400, { clock });

  say(`shutdown initiated: ${pool.activeCount} active, ${pool.queuedCount} queued`);
  const report = await pool.shutdown({ timeout: 5_000 });
  say(`${report.completedCount} finished, ${report.failed.length} failed, ${report.dropped.length} dropped`);
  for (const { name, ageMs } of report.unfinished) say(`never finished: ${name}, for ${ageMs} ms`);
});

// Output:
//    300 ms  task 0 complete
//    300 ms  task 1 complete
//    300 ms  task 2 complete
//    300 ms  task 3 complete
//    400 ms  shutdown initiated: 4 active, 3 queued
//    600 ms  task 4 complete
//    600 ms  task 5 complete
//    600 ms  task 6 has failed
//    600 ms  task 7 complete
//    900 ms  task 8 complete
//    900 ms  task 9 complete
//   6400 ms  5 finished, 1 failed, 0 dropped
//   6400 ms  never finished: unresponsive, for 5800 ms
