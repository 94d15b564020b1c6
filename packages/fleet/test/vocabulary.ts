import type { CancellationToken } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import {
  type EngineConnection,
  type Fleet,
  type FleetEngine,
  type JoinFleetOptions,
  joinFleet,
  memoryEngine,
} from '@quiesce/fleet';
import { type FaultyEngine, faulty } from '@quiesce/fleet/testing';

/** Several fleets on one engine in memory, on a virtual clock. */
export interface World {
  readonly clock: VirtualClock;
  readonly engine: FaultyEngine;
  join(node: string, options?: Partial<JoinFleetOptions>): Promise<Fleet>;
  /** Lets everything happen that needs no time. */
  settle(): Promise<void>;
}

export function world(): World {
  const clock = new VirtualClock();
  const engine = faulty(memoryEngine({ clock }), { clock });
  return {
    clock,
    engine,
    join: (node, options) => joinFleet({ engine, clock, node, ...options }),
    settle: () => clock.advance(0),
  };
}

/** Changes calls of the connections to an engine. */
export function around(
  engine: FleetEngine,
  change: (connection: EngineConnection) => Partial<EngineConnection>,
): FleetEngine {
  return {
    connect: async (...args) => {
      const connection = await engine.connect(...args);
      return { ...connection, ...change(connection) };
    },
  };
}

/** A promise that a test resolves. */
export function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  const { work, finish } = deaf();
  return { opened: work(), open: finish };
}

/** Work that obeys its token at once. */
export function obedient(token: CancellationToken): Promise<never> {
  return token.cancelled().then(() => Promise.reject(token.reason));
}

/** Work that ends when it is told to, and not before. */
export function deaf(): { readonly work: () => Promise<void>; readonly finish: () => void } {
  let finish = (): void => {};
  const done = new Promise<void>((resolve) => {
    finish = resolve;
  });
  return { work: () => done, finish };
}

/** The reason of a promise that rejects. */
export function rejection(promise: PromiseLike<unknown>): Promise<unknown> {
  return Promise.resolve(promise).then(
    (value) => {
      throw new Error(`fulfilled with ${String(value)}`);
    },
    (error) => error,
  );
}
