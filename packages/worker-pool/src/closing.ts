import { CancellationToken, type Clock, TimeoutError } from '@quiesce/cancellation-token';

/** What came of the closing of resources. */
export interface ClosingTally {
  closed: number;
  timedOut: number;
}

/** How resources are closed. */
export interface Closer<R> {
  readonly close: ((resource: R) => unknown) | undefined;
  readonly closeTimeout: number;
  readonly clock: Clock;
}

/**
 * Closes one resource, within its own time. Never rejects. A closer's later error becomes the `cause` of its TimeoutError.
 *
 * @param failed called with what it fails with, also a TimeoutError; it must not throw
 */
export async function closeOne<R>(
  closer: Closer<R>,
  resource: R,
  tally: ClosingTally,
  failed: (error: unknown) => void,
): Promise<void> {
  const closing = (async () => closer.close?.(resource))();
  const limit = CancellationToken.timeout(closer.closeTimeout, { clock: closer.clock });
  try {
    const { cancelled } = await limit.runUntilCancelled(closing);
    if (!cancelled) tally.closed++;
    else {
      tally.timedOut++;
      const late = new TimeoutError(closer.closeTimeout, `Closing did not end within ${closer.closeTimeout} ms`);
      failed(late);
      closing.catch((cause) => Object.assign(late, { cause }));
    }
  } catch (error) {
    failed(error);
  } finally {
    limit.dispose();
  }
}
