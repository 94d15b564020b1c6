/** Counts of requests since stopping began. The numbers grow until the state is `drained`. */
export interface HttpDrainReport {
  /** Requests with a complete response, and upgraded sockets that ended before the deadline. */
  readonly completed: number;
  /** New requests on open connections that were refused. */
  readonly refused: number;
  /** Requests whose client disconnected before the end of the response. */
  readonly aborted: number;
  /** Connections that were ended while no request was in progress. */
  readonly ended: number;
  /** Requests that arrived after their connection was ended. HTTP cannot answer them, and clients retry. */
  readonly crossed: number;
  /** Requests that were in progress at the deadline, and were cancelled. */
  readonly cancelled: number;
  /** Requests whose connection was destroyed at the deadline, as `GET /path`, without their query. */
  readonly cutOff: readonly string[];
}

/** The counts while they grow. */
export type Tally = { -readonly [K in keyof HttpDrainReport]: HttpDrainReport[K] extends number ? number : string[] };

/** Returns zero counts. */
export function newTally(): Tally {
  return { completed: 0, refused: 0, aborted: 0, ended: 0, crossed: 0, cancelled: 0, cutOff: [] };
}
