import type { HookOutcome, HookPhase } from './hooks.ts';
import type { CutOffReport, ShutdownReport } from './report.ts';
import type { ShutdownRequest } from './request.ts';
import type { ShutdownForce, ShutdownProgress, ShutdownState } from './state.ts';

/** One step of a shutdown, as published on the diagnostics channel `quiesce:shutdown`. */
export type ShutdownEvent =
  | { readonly type: 'requested'; readonly request: ShutdownRequest }
  | { readonly type: 'state'; readonly state: ShutdownState }
  | { readonly type: 'hook:start'; readonly hook: string; readonly phase: HookPhase; readonly limitMs: number }
  | {
      readonly type: 'hook:end';
      readonly hook: string;
      readonly phase: HookPhase;
      readonly outcome: HookOutcome;
      readonly durationMs: number;
      readonly error: unknown;
    }
  | { readonly type: 'drained'; readonly name: string; readonly durationMs: number }
  | ({ readonly type: 'cut off' } & CutOffReport)
  | { readonly type: 'forced'; readonly force: ShutdownForce }
  | {
      /** `repeated`: the same signal within `signalDebounce`. `own`: a signal that the process sent to itself. */
      readonly type: 'signal ignored';
      readonly signal: string;
      readonly why: 'repeated' | 'own';
      readonly debounceMs: number;
    }
  | { readonly type: 'error'; readonly where: string; readonly error: unknown }
  | { readonly type: 'leak'; readonly name: string; readonly site: string | undefined }
  | { readonly type: 'stopped'; readonly report: ShutdownReport };

/** The current facts of the shutdown that emits an event. Each access computes them anew. */
export interface ShutdownReading {
  readonly progress: ShutdownProgress;
  report(): ShutdownReport;
}

/** Receives each event of one shutdown, synchronously. It must not throw. */
export type Reporter = (event: ShutdownEvent, read: ShutdownReading) => void;
