// A process of a storm: runs work and cancels work as it is told, and reports what happens to it.
import type { CancellationToken } from '@quiesce/cancellation-token';
import { CancelIncompleteError, type CancelReceipt, type CancelUntil, type Fleet, joinFleet } from '@quiesce/fleet';
import { hold } from '../processes/hold.ts';
import { engineOf, withMistake } from './engines.ts';
import { joinPlain } from './plain.ts';
import { leases, now, type Order, type Report, type Setup } from './protocol.ts';

/** What a storm needs of a fleet. */
export interface Reach {
  readonly id: string;
  run(key: string, work: (token: CancellationToken) => Promise<void>): Promise<void>;
  cancel(key: string, reason: unknown, options: { until: CancelUntil; timeout: number }): Promise<CancelReceipt>;
  close(): Promise<void>;
}

const setup = JSON.parse(process.argv[2] as string) as Setup;
const finishers = new Map<number, () => void>();

function report(event: Report): void {
  process.send?.(event);
}

async function join(): Promise<Reach> {
  if (setup.method === 'plain messages') return await joinPlain(setup);
  const engine = withMistake(await engineOf(setup.kind, setup.port), setup.mistake);
  return await joinFleet({
    ...{ engine, node: setup.node, namespace: setup.namespace, reread: 300, memberTtl: 1_500, member: setup.isMember },
    // On a busy machine, many attempts to join fail.
    ...{ requestTimeout: 500, joinTimeout: 120_000 },
  });
}

async function startRun(fleet: Reach, { run, key, cleanupMs }: Order & { op: 'run' }): Promise<void> {
  let isStarted = false;
  try {
    await fleet.run(key, async (token) => {
      isStarted = true;
      report({ e: 'started', run, at: now() });
      token.onCancelled(() => report({ e: 'cancelled', run, at: now() }));
      const finished = new Promise<void>((resolve) => finishers.set(run, resolve));
      await Promise.race([finished, token.cancelled()]);
      // Cleanup, or work that hears of its cancellation late.
      if (token.isCancelled) await new Promise((resolve) => setTimeout(resolve, cleanupMs));
      report({ e: 'ended', run, at: now() });
    });
  } catch {
    if (!isStarted) report({ e: 'refused', run, at: now() });
  } finally {
    finishers.delete(run);
  }
}

async function startCancel(fleet: Reach, { cancel, key, until }: Order & { op: 'cancel' }): Promise<void> {
  report({ e: 'called', cancel, at: now() });
  try {
    const receipt = await fleet.cancel(key, `cancel ${cancel}`, { until, timeout: setup.timeout });
    report({ e: 'receipt', cancel, at: now(), receipt });
  } catch (error) {
    const code = String((error as { code?: unknown }).code);
    report({ e: 'failed', cancel, at: now(), code, isRecorded: error instanceof CancelIncompleteError });
  }
}

const contending = new Set<string>();

/** Waits for a lease, and holds it for some time, unless the process does so already. */
async function startHold(fleet: Reach, { lease, workMs }: Order & { op: 'hold' }): Promise<void> {
  if (!('lease' in fleet) || contending.has(lease)) return;
  contending.add(lease);
  const holding = hold(fleet as Fleet, {
    name: lease,
    permits: leases[lease],
    ttl: 1_000,
    timeout: setup.timeout,
    cleanupMs: 20,
  });
  try {
    await holding.held;
    setTimeout(holding.finish, workMs);
    report({ e: 'held', lease, ...(await holding.ended) });
  } catch {
    // No permit came in time, or the engine was away.
  } finally {
    contending.delete(lease);
  }
}

const fleet = await join();
process.on('message', async (order: Order) => {
  if (order.op === 'run') await startRun(fleet, order);
  else if (order.op === 'cancel') await startCancel(fleet, order);
  else if (order.op === 'hold') await startHold(fleet, order);
  else if (order.op === 'finish') finishers.get(order.run)?.();
  else {
    await fleet.close();
    // Ends only when everything before has been sent.
    process.send?.({ e: 'closed', at: now() } satisfies Report, () => process.exit(0));
  }
});
process.on('disconnect', () => process.exit(1));
report({ e: 'joined', id: fleet.id });
