import type { CancellationToken } from '@quiesce/cancellation-token';
import { checkKind, checkOptions } from '@quiesce/internal';
import { leaseRequest } from './lease-options.ts';
import type { LeaseRequest } from './leases.ts';
import { numberOf } from './options.ts';

/** The parts of a fleet that a shutdown uses. */
export interface AttachedFleet {
  /** The name in reports. */
  readonly name: string;
  /** How many runs and leases have not ended. */
  readonly inFlightCount: number;
  /** The names of these runs and leases. */
  readonly inFlightNames: readonly string[];
  /** Starts no more runs and leases. */
  stop(): void;
  /** Waits until all have ended. */
  drain(signal: CancellationToken | AbortSignal): Promise<void>;
  /** Cancels all of them. */
  abort(reason: unknown): void;
  /** Leaves the fleet. */
  close(): Promise<void>;
}

/** The parts of a `Shutdown` of `@quiesce/shutdown` that a fleet needs. */
export interface FleetShutdown {
  /** Adds a drainable. */
  add(drainable: AttachedFleet): unknown;
  /** Adds a hook. */
  hook(
    name: string,
    run: (token: { readonly signal: AbortSignal }) => unknown,
    options: { readonly phase: 'stopping' | 'final'; readonly priority?: number; readonly timeout?: number },
  ): unknown;
}

/** Options for `attach`. */
export interface FleetAttachOptions {
  /** Limits how many processes of the fleet drain at the same time. */
  readonly slot?:
    | {
        /** Names the slots. */
        readonly name: string;
        /** How many processes may drain at the same time: an integer from 1 to 1,000. Default: 1. */
        readonly permits?: number | undefined;
        /** After how many ms without a renewal a slot is free again, from 1,000 to 3,600,000. Default: 15,000. */
        readonly ttl?: number | undefined;
        /** How many ms to wait for a slot, from 0. After that, the shutdown continues without one. Default: 5,000. */
        readonly timeout?: number | undefined;
      }
    | undefined;
}

interface AttachedParts {
  readonly fleet: AttachedFleet;
  /** Holds a slot until the promise has settled. */
  holdSlot(request: LeaseRequest, onHeld: () => void, untilEnd: Promise<void>): Promise<void>;
}

export function attachTo(shutdown: FleetShutdown, options: FleetAttachOptions | undefined, parts: AttachedParts): void {
  const { fleet, holdSlot } = parts;
  const isShutdown = typeof shutdown?.add === 'function' && typeof shutdown.hook === 'function';
  checkKind(isShutdown, 'attach', 'a Shutdown', shutdown);
  checkOptions('attach', options, ['slot']);
  const slot = options?.slot;
  let releaseSlot = (): void => {};
  let slotEnded: Promise<unknown> = Promise.resolve();
  if (slot !== undefined) {
    checkOptions('attach: slot', slot, ['name', 'permits', 'ttl', 'timeout']);
    const { name, permits, ttl } = slot;
    const timeout = numberOf('attach: slot: timeout', slot.timeout, 5_000, 0, Number.POSITIVE_INFINITY);
    const checked = leaseRequest('attach: slot', name, { permits, ttl });
    const ended = new Promise<void>((resolve) => {
      releaseSlot = resolve;
    });
    const waitForSlot = (token: { readonly signal: AbortSignal }): Promise<void> => {
      const request = leaseRequest('attach: slot', name, { permits, ttl, signal: token.signal });
      return new Promise<void>((resolve, reject) => {
        const held = holdSlot(request, resolve, ended);
        slotEnded = held.catch(() => {});
        held.catch(reject);
      });
    };
    const hook = `waiting for a slot of ${JSON.stringify(checked.name)}`;
    shutdown.hook(hook, waitForSlot, { phase: 'stopping', priority: Number.POSITIVE_INFINITY, timeout });
  }
  shutdown.add(fleet);
  shutdown.hook(
    'fleet',
    async () => {
      releaseSlot();
      await slotEnded;
      await fleet.close();
    },
    { phase: 'final' },
  );
}
