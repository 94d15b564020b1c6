import type { Clock, Timer } from '@quiesce/cancellation-token';
import { describeProgress } from './describe.ts';
import { inFlightOf } from './drain-target.ts';
import type { Reporter, ShutdownReading } from './events.ts';
import type { ShutdownLog } from './shutdown-log.ts';
import type { ShutdownSequence } from './shutdown-sequence.ts';
import type { ShutdownProgress } from './state.ts';

/** Measures the progress of a shutdown. */
export function progressOf({ state, targets: all, currentHook }: ShutdownSequence): ShutdownProgress {
  const targets = [...all];
  const hooks = currentHook === undefined ? [] : [currentHook];
  const isDraining = state.current === 'stopping' || state.current === 'draining';
  const busy = isDraining ? targets.filter((target) => target.state !== 'drained' && inFlightOf(target) > 0) : [];
  return {
    state: state.current,
    inFlightCount: targets.reduce((sum, target) => sum + inFlightOf(target), 0),
    waitingFor: [...busy, ...hooks].map(({ name }) => name),
    elapsedMs: Math.round(state.elapsed()),
  };
}

/** Logs progress. A terminal shows it in place. */
export class ProgressLine {
  readonly #log: ShutdownLog;
  /** The last line that was shown. */
  #line = '';

  constructor(log: ShutdownLog) {
    this.#log = log;
  }

  /** Updates a terminal at each step. Elsewhere, logs progress when draining begins with work in flight. */
  readonly reporter: Reporter = ({ type }, read) => {
    const { state, inFlightCount } = read.progress;
    const isShown = this.#log.hasProgressLine
      ? type === 'state' || type === 'hook:start' || type === 'drained'
      : type === 'state' && state === 'draining' && inFlightCount > 0;
    if (isShown) this.show(read);
  };

  show({ progress }: ShutdownReading): void {
    const line = describeProgress(progress);
    if (line === this.#line) return;
    this.#line = line;
    this.#log.write({ level: 'info', event: 'progress', waitingFor: progress.waitingFor });
  }
}

/** Calls a function every `ms` from the request to the end, because drainables report no changes. `Infinity` disables it. */
export function progressTimer(clock: Clock, ms: number, tick: (read: ShutdownReading) => void): Reporter {
  let timer: Timer | undefined;
  const start = (read: ShutdownReading): void => {
    if (ms === Number.POSITIVE_INFINITY) return;
    const fire = (): void => {
      tick(read);
      start(read);
    };
    timer = clock.setTimer(Math.max(1, ms), fire, { ref: false });
  };
  return ({ type }, read) => {
    if (type === 'requested') start(read);
    if (type === 'stopped' && timer !== undefined) clock.clearTimer(timer);
  };
}
