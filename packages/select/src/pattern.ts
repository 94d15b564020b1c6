import { isClosedError, PENDING, type SourceProtocol } from '@quiesce/cancellation-token';

/** The key of what a `match` holds; the same in every copy of this package. */
export const pattern: unique symbol = Symbol.for('quiesce.match') as never;

/** Says whether a value fits the pattern. */
export type Guard = (value: unknown) => boolean;

/** A branch and the pattern that its value has to fit. */
export interface Pattern<B> {
  readonly branch: B;
  /** `undefined`: every value fits, and only a closed source does not. */
  readonly guard: Guard | undefined;
}

/** What `poll` gives for a value that did not fit: it is lost. */
export const MISSED: unique symbol = Symbol('missed') as never;
/** What it gives when the source is closed. */
export const CLOSED: unique symbol = Symbol('closed') as never;

export function isMatch(branch: object): branch is { readonly [pattern]: Pattern<unknown> } {
  return pattern in branch;
}

/** Polls; a value that does not fit, and a closed source, are answers like others. */
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
