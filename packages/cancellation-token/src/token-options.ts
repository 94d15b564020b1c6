import { show } from '@quiesce/internal';
import type { Clock } from './clock.ts';
import { isAbortSignal } from './follower.ts';
import { brand } from './node.ts';

/** Options for a new token. */
export interface TokenOptions {
  /** Name shown in errors, scope trees and debuggers. */
  readonly name?: string | undefined;
  /** Refuses a token in place of the options: a child of `parent` is `parent.childToken()`. */
  readonly isCancelled?: never;
}

/** Options for a new token with a deadline. */
export interface DeadlineOptions extends TokenOptions {
  /** The clock to use; default: the platform's. */
  readonly clock?: Clock | undefined;
}

/** Options for a deadline that can be renewed. */
export interface RenewableOptions extends DeadlineOptions {
  /** When the time begins, on the scale of the clock's `now()`; default: now. It may be in the past. */
  readonly since?: number | undefined;
  /**
   * Makes the reason when the deadline has passed. Called once, for the whole subtree. Until it returns, the token is not
   * cancelled. When it throws, the error goes to the uncaught handler, and the reason is the default: a `TimeoutError`.
   */
  readonly reason?: (() => unknown) | undefined;
  /**
   * Whether the deadline also passes when the wall clock has advanced by the time: the monotonic clock of Node stands still
   * while a machine sleeps. The time of day must then not be set forward. Default: false.
   */
  readonly wall?: boolean | undefined;
}

/** The names of the options of a token, of a token with a deadline, and of a deadline that can be renewed. */
export const NAME: readonly string[] = ['name'];
export const LIMITS: readonly string[] = ['name', 'clock'];
export const RENEWABLE: readonly string[] = ['name', 'clock', 'since', 'reason'];

/** Refuses a parent or a signal, which would silently create a root instead of a child. */
export function refuseParent(options: object): void {
  if (!isAbortSignal(options) && !(brand in Object(options)) && !('signal' in Object(options))) return;
  throw new TypeError(
    `new CancellationToken: got ${show(options)} instead of options: a child of a token is token.childToken(), a token that ` +
      'follows a signal is CancellationToken.from(signal)',
  );
}
