// Holds a lease, and remembers when it was of use. The token is asked all the time, so that no timer has to fire first.
import { CancellationToken } from '@quiesce/cancellation-token';
import type { Fleet } from '@quiesce/fleet';
import { now } from '../storm/protocol.ts';

export interface HoldOptions {
  readonly name: string;
  readonly ttl: number;
  readonly permits?: number;
  /** Gives up the wait, ms. */
  readonly timeout?: number;
  /** How long the work goes on when its token is cancelled, ms. */
  readonly cleanupMs?: number;
}

/** What is known of a lease that is over. Times are in ms of the machine. */
export interface Hold {
  readonly fence: number;
  readonly heldAt: number;
  /** When the token was last asked and not cancelled. */
  readonly lastValidAt: number;
  readonly endedAt: number;
  /** The `code` of the reason, if the token was cancelled. */
  readonly code: unknown;
}

export interface Holding {
  /** Fulfils when the lease is held. */
  readonly held: Promise<{ readonly fence: number; readonly heldAt: number }>;
  readonly ended: Promise<Hold>;
  finish(): void;
  /** Cancels the token, as its `signal`. */
  cancel(): void;
}

export function hold(fleet: Fleet, { name, cleanupMs = 0, ...options }: HoldOptions): Holding {
  const signal = new CancellationToken();
  let isFinished = false;
  let onHeld: (held: { fence: number; heldAt: number }) => void = () => {};
  const held = new Promise<{ fence: number; heldAt: number }>((resolve) => {
    onHeld = resolve;
  });
  const ended = fleet.lease(
    name,
    async (token, { fence }) => {
      const heldAt = now();
      onHeld({ fence, heldAt });
      let lastValidAt = heldAt;
      for (;;) {
        // The time is taken first: the process may be stopped between the two.
        const at = now();
        if (token.isCancelled) break;
        lastValidAt = at;
        if (isFinished) break;
        await sleep(5);
      }
      const code = token.isCancelled ? codeOf(token.reason) : undefined;
      if (token.isCancelled) await sleep(cleanupMs);
      return { fence, heldAt, lastValidAt, endedAt: now(), code };
    },
    { ...options, signal },
  );
  const heldOrFailed = Promise.race([held, ended]);
  for (const one of [ended, heldOrFailed]) one.catch(() => {});
  return {
    held: heldOrFailed,
    ended,
    finish: () => {
      isFinished = true;
    },
    cancel: () => void signal.cancel('enough'),
  };
}

export function codeOf(error: unknown): unknown {
  return Object(error).code;
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
