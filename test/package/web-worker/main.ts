// A page with workers, in the form in which bundlers find their files. The test calls `outcome`.
import { CancellationToken } from 'quiesce';
import { serveTasks, TaskWorker } from 'quiesce/web';
import type { Order } from './loops.ts';

/** Cancels a loop in a worker when it has started, and returns how its call ended. */
async function outcome(loop: Order['loop'], where: 'dedicated' | 'shared', cleanupTimeout: number): Promise<string> {
  await using worker = new TaskWorker(
    where === 'dedicated'
      ? new Worker(new URL('./dedicated.ts', import.meta.url), { type: 'module' })
      : new SharedWorker(new URL('./shared.ts', import.meta.url), { type: 'module' }).port,
    { cleanupTimeout },
  );
  const signal = new CancellationToken();
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => signal.cancel('enough');
  const order: Order = { loop, started: port2 };
  try {
    return `returned ${String(await worker.run(order, { signal, transferList: [port2] }))}`;
  } catch (error) {
    return `rejected with ${(error as Error).name}`;
  } finally {
    port1.close();
  }
}

/** Serves tasks in a page, which has no owner. */
function serveHere(): string {
  try {
    serveTasks(() => {});
    return 'serves';
  } catch (error) {
    return (error as Error).message;
  }
}

Object.assign(globalThis, { outcome, serveHere });
