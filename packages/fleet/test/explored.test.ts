// Every order of events around one cancel: the run starts, the fleet of the worker closes, and its connection breaks at any moment,
// and each call of the engine is handled and answered at any moment after that.
import {
  type CancelIncompleteError,
  type CancelReceipt,
  type EngineConnection,
  type FleetEngine,
  type FleetListener,
  joinFleet,
  memoryEngine,
} from '@quiesce/fleet';
import { explore, type World } from '@quiesce/testing';
import { expect, it } from 'vitest';

/** An engine whose calls are operations of the explorer, once `isLive` is set. */
class ExploredEngine implements FleetEngine {
  readonly #world: World;
  readonly #engine: FleetEngine;
  readonly #listeners: Set<FleetListener> = new Set();
  isLive = false;
  #count = 0;

  constructor(world: World) {
    this.#world = world;
    this.#engine = memoryEngine({ clock: world.clock });
  }

  async connect(namespace: string, retention: number): Promise<EngineConnection> {
    const connection = await this.#engine.connect(namespace, retention);
    const name = `engine ${++this.#count}`;
    return {
      ...connection,
      append: this.#operation(`${name}: append`, connection.append),
      read: this.#operation(`${name}: read`, connection.read),
      meet: this.#operation(`${name}: meet`, connection.meet),
      leave: this.#operation(`${name}: leave`, connection.leave),
      listen: async (me, on) => {
        this.#listeners.add(on);
        return connection.listen(me, on);
      },
    };
  }

  /** Ends the subscriptions. */
  break(): void {
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    for (const listener of listeners) listener.broken(new Error('the connection was lost'));
  }

  #operation<Args extends unknown[], T>(
    name: string,
    call: (...args: Args) => Promise<T>,
  ): (...args: Args) => Promise<T> {
    const explored = this.#world.external(name, call, {
      // A fleet that closes waits for no answer that it does not need.
      ...{ label: () => name, within: 100, detached: true },
    }) as typeof call;
    return (...args) => (this.isLive ? explored(...args) : call(...args));
  }
}

/** What was done and seen at the key of the cancel, and beside it. */
interface Story {
  running: number;
  readonly reasons: unknown[];
  readonly bystanders: unknown[];
}

async function cancelAndRun(world: World, receipts: Set<string>): Promise<void> {
  const engine = new ExploredEngine(world);
  const { clock } = world;
  const options = { engine, clock, requestTimeout: 1_000 };
  const api = await joinFleet({ ...options, node: 'api' });
  const worker = await joinFleet({ ...options, node: 'worker' });
  engine.isLive = true;
  const story: Story = { running: 0, reasons: [], bystanders: [] };
  const start = (key: string, reasons: unknown[]): Promise<void> =>
    worker
      .run(key, async (token) => {
        if (reasons === story.reasons) story.running++;
        await token.cancelled();
        if (reasons === story.reasons) story.running--;
        throw token.reason;
      })
      .catch((reason) => void reasons.push(reason));
  const runs = [start('jobs/10', story.bystanders)];
  world.anytime('run', () => void runs.push(start('jobs/1/1', story.reasons)));
  world.anytime('close', () => void worker.close());
  world.anytime('break', () => engine.break());
  const receipt = await api.cancel('jobs/1', 'stop', { until: 'ended', timeout: 30_000 }).catch((error) => error);
  checkReceipt(receipt, story, worker.id);
  receipts.add(receipt.state);
  // What starts now is covered.
  runs.push(start('jobs/1/2', story.reasons));
  await Promise.all(runs.slice(1));
  await worker.close();
  await Promise.all(runs);
  await api.close();
  const isClosed = (reason: unknown): boolean => /closed/.test(String(reason));
  const wrong = story.reasons.filter((reason) => reason !== 'stop' && !isClosed(reason));
  if (story.running > 0 || wrong.length > 0) throw new Error(`F1: ${story.running} run, ${wrong.map(String)}`);
  if (!story.bystanders.every(isClosed)) throw new Error(`F2: ${story.bystanders.map(String)}`);
}

/** F3: a receipt states only what has been confirmed. The texts have no ids, which differ from run to run. */
function checkReceipt(receipt: CancelReceipt | CancelIncompleteError, story: Story, worker: string): void {
  if (!('nodes' in receipt)) throw new Error(`F3: ${receipt.name}`);
  // A worker that had left before the list was made is not named.
  const { state, runCount: runs } = receipt.nodes.find(({ node }) => node === worker) ?? { state: 'left', runCount: 0 };
  if (!['ended', 'left'].includes(state)) throw new Error(`F3: the worker is ${state}`);
  if (story.running > 0) throw new Error(`F3: ${story.running} run, and the receipt says ${receipt.state}`);
  if (receipt.state === 'nobody' && runs > 0) throw new Error('F3: nobody, with runs');
}

it('no order of a cancel, a run, a close and a reconnection breaks a law', async () => {
  const receipts = new Set<string>();
  const report = await explore((world) => cancelAndRun(world, receipts), { bound: 1 });
  expect(report.stoppedBy).toBe('bound');
  expect([...receipts].sort()).toEqual(['ended', 'nobody']);
});
