/** Counts of requests since stopping began. The numbers grow until the state is `drained`. */
export interface HttpDrainReport {
  /** Requests with a complete response, and upgraded sockets that ended before the deadline. */
  readonly completedCount: number;
  /** New requests on open connections that were refused. */
  readonly refusedCount: number;
  /** Requests whose client disconnected before the end of the response. */
  readonly disconnectedCount: number;
  /** Connections that were ended while no request was in progress. */
  readonly endedCount: number;
  /** Requests that arrived after their connection was ended. HTTP cannot answer them, and clients retry. */
  readonly arrivedAfterFinCount: number;
  /** Requests that were in progress at the deadline, and were cancelled. */
  readonly cancelledCount: number;
  /** Requests that did not end after their cancellation, and whose stream or connection was destroyed, as `GET /path`, without their query. */
  readonly destroyed: readonly string[];
}

/** The counts while they grow. */
export type Tally = { -readonly [K in keyof HttpDrainReport]: HttpDrainReport[K] extends number ? number : string[] };

/** Returns zero counts. */
export function newTally(): Tally {
  return {
    completedCount: 0,
    refusedCount: 0,
    disconnectedCount: 0,
    endedCount: 0,
    arrivedAfterFinCount: 0,
    cancelledCount: 0,
    destroyed: [],
  };
}
