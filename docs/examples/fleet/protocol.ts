// The orders of the demo to its workers, and the reports of the workers. Times are in ms of the machine's monotonic clock, which
// all processes share.
import type { CancelReceipt } from '@quiesce/fleet';

export interface Setup {
  readonly node: string;
  /** The address of the engine, or of the hub of plain messages, through the proxy of this worker. */
  readonly url: string;
  /** Whether the engine sends no hints. */
  readonly isPolled: boolean;
  readonly namespace: string;
}

export type Order =
  | { readonly op: 'run'; readonly key: string }
  | { readonly op: 'cancel'; readonly cancel: number; readonly key: string; readonly timeout: number }
  | { readonly op: 'bill' };

/** The end of a cancel. `sent`: a plain message was sent, and its sender gets no answer. */
export type CancelEnd =
  | { readonly e: 'receipt'; readonly cancel: number; readonly at: number; readonly receipt: CancelReceipt }
  | { readonly e: 'sent'; readonly cancel: number; readonly at: number }
  | {
      readonly e: 'failed';
      readonly cancel: number;
      readonly at: number;
      readonly code: string;
      readonly text: string;
    };

export interface JobReport {
  readonly e: 'step' | 'cleaned up' | 'done' | 'refused';
  readonly key: string;
  readonly at: number;
}

export type Report =
  | { readonly e: 'joined'; readonly id: string; readonly hints: string }
  | JobReport
  | CancelEnd
  | { readonly e: 'bill' | 'lease lost'; readonly fence: number; readonly at: number }
  | { readonly e: 'draining'; readonly at: number };

export function now(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}

/** Reports to the demo, unless the demo was killed. */
export function report(event: Report): void {
  if (process.connected) process.send?.(event);
}
