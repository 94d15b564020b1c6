/** What came of the jobs that had not ended when the pool was closed. It grows until the pool is drained. */
export interface WorkerPoolReport {
  /** How many fulfilled. */
  readonly finished: number;
  /** Which rejected with an error of their own, in order of failure; their callers got the errors too. */
  readonly failed: readonly { readonly name: string; readonly error: unknown }[];
  /** Which were cancelled while they ran, and obeyed. */
  readonly cancelled: readonly string[];
  /** Which never ran: still in the queue when the rest was cancelled, or withdrawn from it by their own signal. */
  readonly dropped: readonly string[];
  /** Which still run, in order of their start, and for how many milliseconds they have. */
  readonly unfinished: readonly { readonly name: string; readonly ageMs: number }[];
}

/** The report in the making. */
export interface PoolTally {
  finished: number;
  failed: { name: string; error: unknown }[];
  cancelled: string[];
  dropped: string[];
}
