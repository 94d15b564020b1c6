import { nameError } from '@quiesce/internal';
import type { CancelReceipt } from './receipt.ts';

/**
 * The engine did not answer in time. A cancel was not recorded, joining failed, or a run reached its limit `unreachable`.
 *
 * @example
 * ```ts
 * const engine = faulty(memoryEngine());
 * engine.cut();
 * const error = await joinFleet({ engine, joinTimeout: 100 }).catch((error) => error);
 * console.log(error.name, error.code); // => EngineUnavailableError ERR_ENGINE_UNAVAILABLE
 * ```
 */
export class EngineUnavailableError extends Error {
  /** @internal See `nameError`. */
  static readonly completed: object = /* @__PURE__ */ nameError(EngineUnavailableError, 'EngineUnavailableError');
  /** Always `EngineUnavailableError`. */
  declare readonly name: 'EngineUnavailableError';
  /** Always `ERR_ENGINE_UNAVAILABLE`. */
  readonly code = 'ERR_ENGINE_UNAVAILABLE' as const;
  /** The receipt of a `cancel`, with the state `unrecorded`: trying again is safe. `undefined` for other calls. */
  readonly receipt: CancelReceipt | undefined;

  /** @internal */
  constructor(message: string, options?: { readonly cause?: unknown; readonly receipt?: CancelReceipt }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.receipt = options?.receipt;
  }
}

/**
 * A cancel was recorded, but the state in `until` was not confirmed in time. The text names each silent member, and each key that
 * still runs. The cancel stays in force.
 *
 * @example
 * ```ts
 * await using fleet = await joinFleet({ engine: memoryEngine() });
 * let finish = () => {};
 * const deaf = fleet.run('jobs/1', () => new Promise<void>((resolve) => (finish = resolve)));
 * const error = await fleet.cancel('jobs/1', 'stop', { until: 'ended', timeout: 10 }).catch((error) => error);
 * console.log(error.code, error.receipt.nodes[0].unfinished); // => ERR_CANCEL_INCOMPLETE [ 'jobs/1' ]
 * finish();
 * await deaf;
 * ```
 */
export class CancelIncompleteError extends Error {
  /** @internal See `nameError`. */
  static readonly completed: object = /* @__PURE__ */ nameError(CancelIncompleteError, 'CancelIncompleteError');
  /** Always `CancelIncompleteError`. */
  declare readonly name: 'CancelIncompleteError';
  /** Always `ERR_CANCEL_INCOMPLETE`. */
  readonly code = 'ERR_CANCEL_INCOMPLETE' as const;
  /** The receipt, with everything that is confirmed. */
  readonly receipt: CancelReceipt;

  /** @internal */
  constructor(message: string, receipt: CancelReceipt) {
    super(message);
    this.receipt = receipt;
  }
}

/**
 * The reason of a lease's token when the lease could not be renewed. `lease` rejects with it if the work throws the reason.
 *
 * @example
 * ```ts
 * const clock = new VirtualClock();
 * const engine = faulty(memoryEngine({ clock }));
 * const fleet = await joinFleet({ engine, clock });
 * const bill = (token: CancellationToken) => token.cancelled().then(() => Promise.reject(token.reason));
 * const lost = fleet.lease('billing', bill).catch((error) => error);
 * await clock.advance(0);
 * engine.cut();
 * await clock.advance(15_000);
 * console.log((await lost).code); // => ERR_LEASE_LOST
 * await clock.run(() => fleet.close());
 * ```
 */
export class LeaseLostError extends Error {
  /** @internal See `nameError`. */
  static readonly completed: object = /* @__PURE__ */ nameError(LeaseLostError, 'LeaseLostError');
  /** Always `LeaseLostError`. */
  declare readonly name: 'LeaseLostError';
  /** Always `ERR_LEASE_LOST`. */
  readonly code = 'ERR_LEASE_LOST' as const;
  /** The name of the lease. */
  readonly lease: string;
  /** Its fence. A later holder has a larger one. */
  readonly fence: number;

  /** @internal */
  constructor(lease: string, fence: number, why: string) {
    super(`The lease ${JSON.stringify(lease)} (fence ${fence}) is lost: ${why}`);
    this.lease = lease;
    this.fence = fence;
  }
}

/**
 * The database is not ready for a fleet: the schema is missing or has another version, or Redis is too old or may evict keys. The
 * text says what to do.
 *
 * @example
 * <!-- not run: needs a PostgreSQL server -->
 * ```ts
 * const fleet = await joinFleet({ engine: postgresEngine(pool) }).catch(async (error) => {
 *   if (error.code !== 'ERR_FLEET_SCHEMA') throw error;
 *   await createPostgresSchema(pool);
 *   return joinFleet({ engine: postgresEngine(pool) });
 * });
 * ```
 */
export class SchemaError extends Error {
  /** @internal See `nameError`. */
  static readonly completed: object = /* @__PURE__ */ nameError(SchemaError, 'SchemaError');
  /** Always `SchemaError`. */
  declare readonly name: 'SchemaError';
  /** Always `ERR_FLEET_SCHEMA`. */
  readonly code = 'ERR_FLEET_SCHEMA' as const;
}
