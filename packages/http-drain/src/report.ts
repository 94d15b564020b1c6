/** What came of the requests since stopping began; the numbers still grow until the state is `drained`. */
export interface HttpDrainReport {
  /** Requests that were answered to the end, and upgraded sockets that ended by themselves. */
  readonly completed: number;
  /** New requests on open connections, told to go elsewhere. */
  readonly refused: number;
  /** Requests whose client went away before the end of the response. */
  readonly aborted: number;
  /** Connections that were ended while no request was in progress. */
  readonly ended: number;
  /** Requests that came after the end of their connection was on its way: HTTP's own loss, which clients send again. */
  readonly crossed: number;
  /** Requests that were in progress at the deadline, and were cancelled. */
  readonly cancelled: number;
  /** Requests whose connection was destroyed at the deadline, as `GET /path`, without their query. */
  readonly cutOff: readonly string[];
}

/** The report in the making. */
export type Tally = { -readonly [K in keyof HttpDrainReport]: HttpDrainReport[K] extends number ? number : string[] };

/** An empty one. */
export function newTally(): Tally {
  return { completed: 0, refused: 0, aborted: 0, ended: 0, crossed: 0, cancelled: 0, cutOff: [] };
}
