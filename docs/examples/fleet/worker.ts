// A worker of the demo. It runs jobs that any other worker can cancel, and bills while it holds the lease. On SIGTERM, the workers
// drain one after the other.
import type { CancellationToken } from '@quiesce/cancellation-token';
import { type Fleet, joinFleet } from '@quiesce/fleet';
import { sleep } from '@quiesce/select';
import { formatLogEvent, type LogEvent, runMain } from '@quiesce/shutdown';
import { openEngine } from './engine.ts';
import { work } from './jobs.ts';
import { now, type Order, report, type Setup } from './protocol.ts';

const { node, url, isPolled, namespace } = JSON.parse(process.argv[2] as string) as Setup;

await runMain(
  async (scope, shutdown) => {
    const { engine, close } = await openEngine(url, isPolled);
    const fleet = await joinFleet({
      ...{ engine, namespace, node, joinTimeout: 60_000 },
      ...{ reread: 1_000, requestTimeout: 5_000, retention: 600_000 },
    });
    fleet.attach(shutdown, { slot: { name: 'rollout', permits: 1, ttl: 10_000, timeout: 120_000 } });
    shutdown.hook('client', close, { phase: 'final', after: ['fleet'] });
    const draining = shutdown.stopAccepting;
    draining.onCancelled(() => report({ e: 'draining', at: now() }));

    process.on('message', (order: Order) => {
      if (order.op === 'run') void run(fleet, order.key, draining);
      else if (order.op === 'cancel') void cancel(fleet, order);
      else void scope.spawn(() => bill(fleet, draining), { name: 'billing' });
    });
    report({ e: 'joined', id: fleet.id, hints: fleet.state.borrow().hints });
    await draining.cancelled();
    process.channel?.unref();
  },
  // A worker waits for its slot until the others have drained.
  { name: node, logger: logErrors, timeout: 180_000, finalTimeout: 15_000 },
);

function logErrors(event: LogEvent): void {
  if (event.level === 'error') console.error(formatLogEvent(event));
}

async function run(fleet: Fleet, key: string, draining: CancellationToken): Promise<void> {
  await fleet.run(key, (token) => work(key, token, draining)).catch(() => report({ e: 'refused', key, at: now() }));
}

async function cancel(fleet: Fleet, { cancel, key, timeout }: Order & { op: 'cancel' }): Promise<void> {
  try {
    const receipt = await fleet.cancel(key, new Error('stopped by user'), { until: 'ended', timeout });
    report({ e: 'receipt', cancel, at: now(), receipt });
  } catch (error) {
    const { code, message } = error as Error & { code: string };
    report({ e: 'failed', cancel, at: now(), code, text: message });
  }
}

/** Bills while this worker holds the lease, and waits for the lease again when it was lost. */
async function bill(fleet: Fleet, draining: CancellationToken): Promise<void> {
  const bills = async (token: CancellationToken, fence: number): Promise<void> => {
    while (!draining.isCancelled) {
      if (token.isCancelled) return report({ e: 'lease lost', fence, at: now() });
      report({ e: 'bill', fence, at: now() }); // a write that contains the fence
      await sleep(100);
    }
  };
  while (!draining.isCancelled) {
    const options = { ttl: 2_000, signal: draining };
    await fleet.lease('billing', (token, { fence }) => bills(token, fence), options).catch(() => {});
  }
}
