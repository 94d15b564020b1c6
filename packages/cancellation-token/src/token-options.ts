import { show } from '@quiesce/internal';
import type { Clock } from './clock.ts';
import { isAbortSignal } from './follower.ts';
import { brand } from './node.ts';

/** What can be said of a new token. */
export interface TokenOptions {
  /** How error texts, scope trees and the debugger call it. */
  readonly name?: string | undefined;
  /** A token is no options: a child of `parent` is `parent.childToken()`. */
  readonly isCancelled?: never;
}

/** What can be said of a new token with a deadline. */
export interface DeadlineOptions extends TokenOptions {
  /** Where time comes from; default: the platform's. */
  readonly clock?: Clock | undefined;
}

/** The options of tokens, and of tokens with a deadline. */
export const NAME: readonly string[] = ['name'];
export const LIMITS: readonly string[] = ['name', 'clock'];

/** Whoever passes a parent or a signal wants a child, and would get a root. */
export function refuseParent(options: object): void {
  if (!isAbortSignal(options) && !(brand in Object(options)) && !('signal' in Object(options))) return;
  throw new TypeError(
    `new CancellationToken: got ${show(options)} instead of options: a child of a token is token.childToken(), a token that ` +
      'follows a signal is CancellationToken.from(signal)',
  );
}
