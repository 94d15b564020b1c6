// What the process of a storm is told, and what it reports. Times are in ms of the machine's monotonic clock, which all processes
// share.
import type { CancelReceipt, CancelUntil } from '@quiesce/fleet';
import type { Hold } from '../processes/hold.ts';
import type { EngineKind, Mistake } from './engines.ts';

/** How the process reaches the others. `plain messages`: without a fleet, by publishing each cancel once. */
export type Method = 'fleet' | 'plain messages';

export interface Setup {
  readonly kind: EngineKind;
  readonly method: Method;
  readonly mistake: Mistake | undefined;
  readonly port: number;
  readonly node: string;
  readonly namespace: string;
  /** Whether it runs work. The others only cancel. */
  readonly isMember: boolean;
  readonly timeout: number;
}

/** The leases of a storm, with their permits. */
export const leases = { alone: 1, pair: 2 };
export type LeaseName = keyof typeof leases;

export type Order =
  | { readonly op: 'run'; readonly run: number; readonly key: string; readonly cleanupMs: number }
  | { readonly op: 'finish'; readonly run: number }
  | { readonly op: 'cancel'; readonly cancel: number; readonly key: string; readonly until: CancelUntil }
  | { readonly op: 'hold'; readonly lease: LeaseName; readonly workMs: number }
  | { readonly op: 'close' };

export type Report =
  | { readonly e: 'joined'; readonly id: string }
  | {
      readonly e: 'started' | 'cancelled' | 'ended' | 'refused' | 'answered';
      readonly run: number;
      readonly at: number;
    }
  | { readonly e: 'called'; readonly cancel: number; readonly at: number }
  | { readonly e: 'receipt'; readonly cancel: number; readonly at: number; readonly receipt: CancelReceipt }
  | {
      readonly e: 'failed';
      readonly cancel: number;
      readonly at: number;
      readonly code: string;
      readonly isRecorded: boolean;
    }
  | ({ readonly e: 'held'; readonly lease: LeaseName } & Hold)
  | { readonly e: 'closed'; readonly at: number };

/** The time, the same in all processes. In Bun, `hrtime` begins with each process. */
export function now(): number {
  if ('Bun' in globalThis) return performance.timeOrigin + performance.now();
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}
