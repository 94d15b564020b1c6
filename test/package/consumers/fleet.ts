// A user's program, compiled against the installed tarball and run with it. It throws on a wrong result.
import { CancelIncompleteError, type CancelReceipt, joinFleet, memoryEngine } from '@quiesce/fleet';
import { faulty } from '@quiesce/fleet/testing';

async function main(): Promise<void> {
  const engine = faulty(memoryEngine());
  const worker = await joinFleet({ engine, node: 'worker' });
  const api = await joinFleet({ engine, node: 'api' });
  const job = worker.run(['jobs', 1], (token) => token.cancelled().then(() => String(token.reason)));
  const receipt: CancelReceipt = await api.cancel('jobs', 'stop', { until: 'ended' });
  if (receipt.state !== 'ended' || (await job) !== 'stop') throw new Error(`the state is ${receipt.state}`);
  engine.hang('worker');
  const error: unknown = await api
    .cancel('jobs', 'again', { until: 'delivered', timeout: 20 })
    .catch((reason) => reason);
  if (!(error instanceof CancelIncompleteError)) throw new Error(`no CancelIncompleteError: ${error}`);
  engine.heal();
  const fence: number = await api.lease('billing', (_token, held) => held.fence);
  if (fence < 1) throw new Error(`the fence is ${fence}`);
  await Promise.all([worker.close(), api.close()]);
}

void main();
