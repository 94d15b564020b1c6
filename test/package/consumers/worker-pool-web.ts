// A user's program, compiled against the installed tarball and run with it. It throws on a wrong result.
import { CancellationToken } from '@quiesce/cancellation-token';
import { receiveToken, serveTasks, shareToken, TaskWorker, type TaskWorkerOptions } from '@quiesce/worker-pool/web';

async function main(): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  const options: TaskWorkerOptions = { name: 'double', cleanupTimeout: 100 };
  serveTasks(async (n: number, own) => (own.isCancelled ? 0 : 2 * n), { port: port2 });
  const worker = new TaskWorker(port1, options);
  const double = await worker.run<number>(21);
  await worker.shutdown();

  const token = new CancellationToken();
  const link = shareToken(token);
  const far = receiveToken(link.shared);
  token.cancel('enough');
  if (double !== 42 || !worker.isClosed || !far.isCancelled || far.reason !== 'enough') {
    throw new Error(`the worker gave ${double}, and the far token says ${String(far.reason)}`);
  }
  link.dispose();

  // The port of the platform's own type can be transferred.
  const channel = new MessageChannel();
  const other = shareToken(token);
  channel.port1.postMessage({ token: other.shared }, [other.shared.port]);
  channel.port1.close();
  other.dispose();
}

void main();
