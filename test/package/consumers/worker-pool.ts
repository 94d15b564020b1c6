// A user's program, compiled against the installed tarball and run with it. It throws on a wrong result.
import { type Lease, ResourcePool, WorkerPool, type WorkerPoolReport } from '@quiesce/worker-pool';

async function main(): Promise<void> {
  const pool = new WorkerPool({ concurrency: 2, name: 'sums' });
  const sum: number = await pool.execute(async (token) => (token.isCancelled ? 0 : 7), { priority: 1 });
  const report: WorkerPoolReport = await pool.shutdown({ timeout: 1_000 });
  const resources = new ResourcePool({ create: async () => ({ id: 1 }), max: 1 });
  const lease: Lease<{ id: number }> = await resources.acquire();
  const { id } = lease.resource;
  lease.release();
  const { closedCount: closed } = await resources.shutdown({ timeout: 1_000 });
  if (sum !== 7 || report.failed.length > 0 || id !== 1 || closed !== 1)
    throw new Error(`the pools gave ${sum} and ${closed}`);
}

void main();
