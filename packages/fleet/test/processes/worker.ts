// A process that stops itself, and that a test continues or kills.
import type { CancellationToken } from '@quiesce/cancellation-token';
import { joinFleet } from '@quiesce/fleet';
import { engineOf } from '../storm/engines.ts';
import { now } from '../storm/protocol.ts';
import { codeOf, hold } from './hold.ts';
import type { Order, Report, Setup } from './protocol.ts';

/** How long nothing else than a stop takes, in ms. */
const STOPPED = 1_000;
const { kind, port, ...options } = JSON.parse(process.argv[2] as string) as Setup;
const fleet = await joinFleet({ engine: await engineOf(kind, port), reread: 500, joinTimeout: 60_000, ...options });

function report(event: Report): void {
  process.send?.(event);
}

async function run(key: string): Promise<void> {
  await fleet.run(key, async (token) => {
    report({ e: 'started' });
    await token.cancelled();
    report({ e: 'ended', reason: token.reason });
  });
}

async function spin({ name, ttl, key }: Order & { op: 'spin' }): Promise<void> {
  let isStarted = false;
  const work = (): void => {
    isStarted = true;
  };
  const loop = async (token: CancellationToken): Promise<void> => {
    // The report has left when the process stops.
    await new Promise((resolve) => process.send?.({ e: 'spinning' } satisfies Report, resolve));
    let lastValidAt = now();
    process.kill(process.pid, 'SIGSTOP');
    for (;;) {
      // The time is taken first: the process may be stopped between the two.
      const at = now();
      const { isCancelled } = token;
      const gap = at - lastValidAt;
      if (!isCancelled && gap < STOPPED) {
        lastValidAt = at;
        continue;
      }
      const reason = await fleet.run(key, work).catch((reason) => reason);
      const code = codeOf(token.reason);
      report({ e: 'spun', gap: gap < STOPPED ? 0 : gap, isCancelled, lastValidAt, code, isStarted, reason });
      return;
    }
  };
  await fleet.lease(name, loop, { ttl });
}

process.on('message', async (order: Order) => {
  if (order.op === 'run') await run(order.key);
  else if (order.op === 'spin') await spin(order);
  else {
    const { name, ttl } = order;
    await hold(fleet, { name, ttl }).held;
    report({ e: 'held' });
  }
});
process.on('disconnect', () => process.exit(1));
report({ e: 'joined', id: fleet.id });
