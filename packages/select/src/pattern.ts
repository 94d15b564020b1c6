import { isClosedError, PENDING, type SourceProtocol } from '@quiesce/cancellation-token';

/** The key of the pattern in a `match`. Every copy of this package uses the same key. */
export const pattern: unique symbol = Symbol.for('quiesce.match') as never;

/** Returns whether a value fits the pattern. */
export type Guard = (value: unknown) => boolean;

/** A branch and the pattern that its value has to fit. */
export interface Pattern<B> {
  readonly branch: B;
  /** `undefined` when every value fits; then only a closed source does not. */
  readonly guard: Guard | undefined;
}

/** The result of a poll whose value did not fit. The value is lost. */
export const MISSED: unique symbol = Symbol('missed') as never;
/** The result of a poll when the source is closed. */
export const CLOSED: unique symbol = Symbol('closed') as never;

export function isMatch(branch: object): branch is { readonly [pattern]: Pattern<unknown> } {
  return pattern in branch;
}

/** Polls. Returns `MISSED` for a value that does not fit, and `CLOSED` for a closed source. */
export function pollMatching(protocol: SourceProtocol<unknown>, guard: Guard | undefined): unknown {
  let value: unknown;
  try {
    value = protocol.poll();
  } catch (error) {
    if (isClosedError(error)) return CLOSED;
    throw error;
  }
  return value === PENDING || guard === undefined || guard(value) ? value : MISSED;
}
