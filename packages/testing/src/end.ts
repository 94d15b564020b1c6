import { checkOutcome } from './cancel.ts';
import { node } from './host.ts';
import type { Operation } from './operation.ts';
import type { Run } from './run.ts';
import { joined } from './story.ts';

/** The checks after the test has settled. */
export function endOfRun(run: Run): void {
  checkOutcome(run);
  for (const check of run.endChecks) {
    guarded(run, () => {
      if (check() === false) throw new Error('A check at the end does not hold');
    });
  }
  for (const { name, count } of run.held) {
    guarded(run, () => {
      const held = count();
      if (held !== 0) throw new Error(`${name} must be 0 at the end, and is ${held}`);
    });
  }
  const pending = run.tracked.filter(({ isPending }) => isPending).map(({ name }) => name);
  if (pending.length > 0) run.fail('end', new Error(`${joined(pending)} must have settled at the end`));
  if (run.settings.leftovers) leftBehind(run);
}

function guarded(run: Run, check: () => void): void {
  try {
    check();
  } catch (error) {
    run.fail('end', error);
  }
}

/** Fails the run when something is still pending, open or registered. */
function leftBehind(run: Run): void {
  const left: string[] = [];
  const places: string[] = [];
  const add = (what: string, place: string): void => {
    left.push(what);
    if (place !== '') places.push(place);
  };
  for (const source of run.operations) {
    if (source.kind !== 'operation') continue;
    const operation = source as Operation;
    if (!operation.isDetached) add(operation.label, operation.place);
  }
  for (const timer of run.timers.timers) {
    if (timer.isRef) add(`${timer.repeats ? 'an interval' : 'a timer'} of ${timer.ms} ms`, timer.place);
  }
  for (const immediate of run.timers.immediates) if (immediate.isRef) add('an immediate', immediate.place);
  for (const resource of run.resources) if (resource.counts) add(`${resource.name}, which is open`, resource.place);
  for (const { name, signal, places } of run.signals) {
    if (signal.aborted) continue;
    const count = listenersOf(signal) - run.ownListeners(signal);
    for (let i = 0; i < count; i++) add(`a listener on the signal ${name}`, places.at(-1) ?? '');
  }
  if (left.length === 0) return;
  run.fail('left behind', new Error(`The test ended and left behind ${joined(left)}`), [...new Set(places)].join(', '));
}

/** Counts the listeners of a signal. Those of simulated pages, such as jsdom's, cannot be counted. */
function listenersOf(signal: AbortSignal): number {
  try {
    return node.events?.getEventListeners?.(signal, 'abort').length ?? 0;
  } catch {
    return 0;
  }
}
