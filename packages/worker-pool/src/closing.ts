import { CancellationToken, type Clock, reportUncaught, TimeoutError } from '@quiesce/cancellation-token';

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

/** Closes one resource, within its own time; never rejects. What a closer fails with after its time is not lost. */
export async function closeOne<R>(closer: Closer<R>, resource: R, tally: ClosingTally): Promise<void> {
  const closing = (async () => closer.close?.(resource))();
  const limit = CancellationToken.timeout(closer.closeTimeout, { clock: closer.clock });
  try {
    const { cancelled } = await limit.runUntilCancelled(closing);
    if (!cancelled) tally.closed++;
    else {
      tally.timedOut++;
      tally.failed.push(new TimeoutError(closer.closeTimeout, `Closing did not end within ${closer.closeTimeout} ms`));
      closing.catch(reportUncaught);
    }
  } catch (error) {
    tally.failed.push(error);
  } finally {
    limit.dispose();
  }
}
