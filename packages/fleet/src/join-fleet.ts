import { type Clock, systemClock } from '@quiesce/cancellation-token';
import { backoffOf, checkKind, checkOptions, show } from '@quiesce/internal';
import { checkEngine } from './checks.ts';
import type { EngineConnection, FleetEngine } from './engine.ts';
import { EngineUnavailableError } from './errors.ts';
import { Fleet, newId } from './fleet.ts';
import type { FleetSettings } from './fleet-options.ts';
import { withLimit } from './limit.ts';
import { numberOf } from './options.ts';

/** Options for `joinFleet`. */
export interface JoinFleetOptions {
  /** Made by `postgresEngine`, `redisEngine`, `natsEngine` or `memoryEngine`. */
  readonly engine: FleetEngine;
  /** Separates fleets that share one database: 1 to 32 of `A-Z a-z 0-9 _ -`. Default: `default`. */
  readonly namespace?: string | undefined;
  /** The name of this process in receipts: 1 to 64 characters without `/`. It need not be unique. Default: `node`. */
  readonly node?: string | undefined;
  /** `false` joins as a caller, which can only cancel and list members: for serverless functions and scripts. Default: true. */
  readonly member?: boolean | undefined;
  /** How often a member reads cancels without hints, and renews its membership, in ms from 100 to 60,000. Default: 5,000. */
  readonly reread?: number | undefined;
  /**
   * After how many ms without a sign of life a member counts as lost: from three times `reread` to 2^31-1. Default: 15,000, or
   * three times `reread` if that is longer.
   */
  readonly memberTtl?: number | undefined;
  /** How many ms receipts name a lost member, to 2^31-1. Default: 600,000. */
  readonly lostFor?: number | undefined;
  /** The limit of one call to the engine, in ms from 100 to 60,000. Default: 3,000. */
  readonly requestTimeout?: number | undefined;
  /** The limit of joining, in ms. Default: 10,000. */
  readonly joinTimeout?: number | undefined;
  /**
   * How long the engine keeps cancels, in ms from 60,000 to 604,800,000 (a week). The same for all members of a namespace.
   * Default: 3,600,000 (an hour).
   */
  readonly retention?: number | undefined;
  /** Source of time. Default: the platform's clock. */
  readonly clock?: Clock | undefined;
}

const OPTIONS: readonly (keyof JoinFleetOptions)[] = [
  ...(['engine', 'namespace', 'node', 'reread', 'memberTtl', 'lostFor'] as const),
  ...(['requestTimeout', 'joinTimeout', 'retention', 'clock'] as const),
];

const FOREVER = Number.POSITIVE_INFINITY;
/** Databases do not store an infinite time. */
const LONGEST = 2 ** 31 - 1;

/**
 * Joins a fleet: the processes that use the same engine and namespace.
 *
 * **Timing.** Fulfils when this process is subscribed, is a member, and has read every cancel. When the engine does not answer, it
 * tries again until `joinTimeout`.
 *
 * @param options `engine`, and optionally `namespace`, `node`, `member`, `reread`, `memberTtl`, `lostFor`, `requestTimeout`,
 *   `joinTimeout`, `retention`, `clock`
 * @returns the fleet, as this process sees it. Close it when the process ends
 * @throws (rejects) EngineUnavailableError after `joinTimeout`, with the last error as its cause; SchemaError; RangeError for a
 *   `retention` that differs from that of the namespace; TypeError and RangeError for bad options
 * @example
 * ```ts
 * await using fleet = await joinFleet({ engine: memoryEngine(), namespace: 'shop', node: 'worker-1' });
 * const done = await fleet.run(['jobs', 42, 1], async () => 'resized');
 * console.log(done, fleet.state.borrow().link); // => resized up
 * ```
 */
export async function joinFleet(options: JoinFleetOptions): Promise<Fleet> {
  checkOptions('joinFleet', options, OPTIONS, ['member']);
  const { engine, settings, namespace, node, joinTimeout } = checked(Object(options));
  const { clock, requestTimeout, retention } = settings;
  const until = clock.now() + joinTimeout;
  const delayOf = backoffOf('joinFleet', { delay: 20, maxDelay: 1_000 });
  const limits = { requestTimeout };
  for (let failures = 1; ; failures++) {
    let fleet: Fleet | undefined;
    try {
      const limit = Math.min(requestTimeout, Math.max(0, until - clock.now()));
      const connect = async (): Promise<EngineConnection> => engine.connect(namespace, retention, limits);
      const connection = await withLimit(clock, limit, 'connect', connect, (late) => void closeLate(late));
      // Each attempt has its own id: the attempt before may still record that it has left.
      fleet = new Fleet(connection, { ...settings, id: `${node}/${newId(4)}` });
      await withLimit(clock, Math.max(0, until - clock.now()), 'the join', () => (fleet as Fleet).open());
      return fleet;
    } catch (error) {
      void fleet?.close();
      if (isPermanent(error)) throw error;
      const delay = delayOf(failures);
      if (clock.now() + delay >= until) {
        throw new EngineUnavailableError(`joinFleet: the engine could not be joined within ${joinTimeout} ms`, {
          cause: error,
        });
      }
      await new Promise<void>((resolve) => void clock.setTimer(delay, resolve, { ref: true }));
    }
  }
}

/** Closes a connection that opened after the limit. */
async function closeLate(connection: EngineConnection): Promise<void> {
  try {
    await connection.close?.();
  } catch {
    // The join has already given up this connection.
  }
}

/** Whether trying again cannot help. */
function isPermanent(error: unknown): boolean {
  // Not a TypeError: `fetch` rejects with one when the network is away.
  return error instanceof RangeError || Object(error).code === 'ERR_FLEET_SCHEMA';
}

function checked(options: JoinFleetOptions): {
  readonly engine: FleetEngine;
  readonly settings: Omit<FleetSettings, 'id'>;
  readonly namespace: string;
  readonly node: string;
  readonly joinTimeout: number;
} {
  const { engine, namespace = 'default', node = 'node', member = true, clock = systemClock } = options;
  checkEngine('joinFleet: engine', engine);
  checkKind(typeof namespace === 'string', 'joinFleet: namespace', 'a string', namespace);
  if (!/^[A-Za-z0-9_-]{1,32}$/.test(namespace)) {
    throw new RangeError(`joinFleet: namespace must be 1 to 32 of A-Z a-z 0-9 _ -, got ${show(namespace)}`);
  }
  checkKind(typeof node === 'string', 'joinFleet: node', 'a string', node);
  if (node === '' || node.length > 64 || node.includes('/') || /[\p{Cc}\p{Surrogate}]/u.test(node)) {
    throw new RangeError(`joinFleet: node must be 1 to 64 characters without "/", got ${show(node)}`);
  }
  const reread = numberOf('joinFleet: reread', options.reread, 5_000, 100, 60_000);
  const leastTtl = 3 * reread;
  const settings = {
    ...{ clock, isMember: member, reread },
    memberTtl: numberOf('joinFleet: memberTtl', options.memberTtl, Math.max(15_000, leastTtl), leastTtl, LONGEST),
    lostFor: numberOf('joinFleet: lostFor', options.lostFor, 600_000, 0, LONGEST),
    requestTimeout: numberOf('joinFleet: requestTimeout', options.requestTimeout, 3_000, 100, 60_000),
    retention: numberOf('joinFleet: retention', options.retention, 3_600_000, 60_000, 604_800_000),
  };
  const joinTimeout = numberOf('joinFleet: joinTimeout', options.joinTimeout, 10_000, 0, FOREVER);
  return { engine, settings, namespace, node, joinTimeout };
}
