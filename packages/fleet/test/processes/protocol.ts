// What a process is told, and what it reports.
import type { EngineKind } from '../storm/engines.ts';

export interface Setup {
  readonly kind: EngineKind;
  readonly port: number;
  readonly node: string;
  readonly namespace: string;
  readonly memberTtl: number;
}

export type Order =
  /** Runs work that obeys its token. */
  | { readonly op: 'run'; readonly key: string }
  /** Holds a lease until the process ends. */
  | { readonly op: 'hold'; readonly name: string; readonly ttl: number }
  /**
   * Holds a lease, stops the process, and looks at the token in a loop without `await` until it is cancelled or the process has
   * stood still. Then, before the event loop goes on, it starts a run.
   */
  | { readonly op: 'spin'; readonly name: string; readonly ttl: number; readonly key: string };

export type Report =
  | { readonly e: 'joined'; readonly id: string }
  | { readonly e: 'started' | 'held' | 'spinning' }
  | { readonly e: 'ended'; readonly reason: unknown }
  | {
      readonly e: 'spun';
      /** How long the process stood still, in ms. 0: it was not stopped. */
      readonly gap: number;
      /** The first look after that. */
      readonly isCancelled: boolean;
      readonly lastValidAt: number;
      readonly code: unknown;
      /** Whether the run was started. */
      readonly isStarted: boolean;
      readonly reason: unknown;
    };
