import { CancellationToken, type Clock, TimeoutError } from '@quiesce/cancellation-token';

/** What came of the closing of resources. */
export interface ClosingTally {
  closed: number;
  failed: unknown[];
  timedOut: number;
}

/** How resources are closed. */
export interface Closer<R> {
  readonly close: ((resource: R) => unknown) | undefined;
  readonly closeTimeout: number;
  readonly clock: Clock;
}

/** Closes one resource, within its own time. Never rejects. A closer's later error becomes the `cause` of its TimeoutError. */
export async function closeOne<R>(closer: Closer<R>, resource: R, tally: ClosingTally): Promise<void> {
  const closing = (async () => closer.close?.(resource))();
  const limit = CancellationToken.timeout(closer.closeTimeout, { clock: closer.clock });
  try {
    const { cancelled } = await limit.runUntilCancelled(closing);
    if (!cancelled) tally.closed++;
    else {
      tally.timedOut++;
      const late = new TimeoutError(closer.closeTimeout, `Closing did not end within ${closer.closeTimeout} ms`);
      tally.failed.push(late);
      closing.catch((cause) => Object.assign(late, { cause }));
    }
  } catch (error) {
    tally.failed.push(error);
  } finally {
    limit.dispose();
  }
}
