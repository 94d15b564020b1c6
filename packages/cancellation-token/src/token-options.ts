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

/** The names of the options of a token, and of a token with a deadline. */
export const NAME: readonly string[] = ['name'];
export const LIMITS: readonly string[] = ['name', 'clock'];

/** Refuses a parent or a signal, which would silently create a root instead of a child. */
export function refuseParent(options: object): void {
  if (!isAbortSignal(options) && !(brand in Object(options)) && !('signal' in Object(options))) return;
  throw new TypeError(
    `new CancellationToken: got ${show(options)} instead of options: a child of a token is token.childToken(), a token that ` +
      'follows a signal is CancellationToken.from(signal)',
  );
}
