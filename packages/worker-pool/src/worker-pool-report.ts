/** How the jobs ended that were in progress when the pool was closed. It grows until the pool is drained. */
export interface WorkerPoolReport {
  /** How many jobs fulfilled. */
  readonly completedCount: number;
  /** The jobs that rejected with an error of their own, in order of failure. Their callers get the errors as well. */
  readonly failed: readonly { readonly name: string; readonly error: unknown }[];
  /** The jobs that were cancelled while they ran, and stopped. */
  readonly cancelled: readonly string[];
  /** The jobs that never started: still queued when the rest was cancelled, or cancelled in the queue by their own signal. */
  readonly dropped: readonly string[];
  /** The jobs that still run, in order of their start, each with its running time in milliseconds. */
  readonly unfinished: readonly { readonly name: string; readonly ageMs: number }[];
}

/** The part of the report that grows as jobs end. */
export interface JobTally {
  completedCount: number;
  readonly failed: { readonly name: string; readonly error: unknown }[];
  readonly cancelled: string[];
  readonly dropped: string[];
}
