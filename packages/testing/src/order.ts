// The default order of the events that are possible at a choice point. It numbers the alternatives:
//
//   1. the first immediate
//   2. operations and streams in order of start; those that another operation passed over come last
//   3. signals and acts that `fairAfter.timers` firings passed over
//   4. timers
//   5. operations that a timer passed over
//   6. other signals and acts
//   7. further outcomes, then batches
//
// Invariant: the list is a function of the choices so far. Nothing here reads real time or real randomness.

import type { Run } from './run.ts';
import { type Alternative, FRESH, SLOW_FOR_OPERATION, SLOW_FOR_TIMER, type SlowSource } from './source.ts';

/** Returns the possible events, in the default order. */
export function listAlternatives(run: Run): Alternative[] {
  const list: Alternative[] = [];
  const { settings, operations, interruptions, timers } = run;
  const immediate = timers.firstImmediate;
  if (immediate !== undefined) list.push(immediate.alternative);

  // Past half of the longest run, a loop without end must meet its cancellation.
  const signalsFirst = run.steps * 2 > settings.steps;
  const interrupt = (isPatient: boolean): void => {
    for (const source of interruptions) {
      const hasWaited = run.firings - source.since >= settings.fairAfter.timers;
      if (hasWaited !== isPatient && source.isPossible()) list.push(source.alternative);
    }
  };
  if (signalsFirst) {
    interrupt(true);
    interrupt(false);
  }

  const behindTimers = run.slowCount === 0 ? undefined : addOperations(run, list);
  if (behindTimers === undefined) for (const source of operations) list.push(source.main());
  const rest = run.rest;
  if (rest.isPossible()) list.push(rest.alternative);
  if (!signalsFirst) interrupt(false);
  timers.addPossible(list, run.deadline());
  if (behindTimers !== undefined) for (const source of behindTimers) list.push(source.main());
  if (!signalsFirst) interrupt(true);
  for (const source of operations) source.addOutcomes(list);
  for (const source of operations) source.addBatch(list);
  return list;
}

/** Adds the operations that come before the timers, and returns those that come after. */
function addOperations(run: Run, list: Alternative[]): SlowSource[] {
  const again: SlowSource[] = [];
  const fresh: SlowSource[] = [];
  const slow: SlowSource[] = [];
  const slower: SlowSource[] = [];
  const { steps, timers } = run.settings.fairAfter;
  for (const source of run.operations) {
    if (source.slowness === FRESH) fresh.push(source);
    else if (run.steps - source.slowSince >= steps || run.firings - source.slowFirings >= timers) again.push(source);
    else (source.slowness === SLOW_FOR_OPERATION ? slow : slower).push(source);
  }
  for (const group of [again, fresh, slow]) for (const source of group) list.push(source.main());
  return slower;
}

/** Marks the operations before the chosen event as slow. Signals pass over nothing. */
export function passOver(run: Run, list: readonly Alternative[], choice: number): void {
  const chosen = list[choice]?.source;
  const kind = chosen?.kind;
  if (kind !== 'operation' && kind !== 'stream' && kind !== 'timer') return;
  const slowness = kind === 'timer' ? SLOW_FOR_TIMER : SLOW_FOR_OPERATION;
  for (const { source } of list) {
    if (source === chosen) return;
    if (source.kind !== 'operation' && source.kind !== 'stream') continue;
    const slow = source as SlowSource;
    if (slow.slowness === FRESH) run.slowCount++;
    slow.slowness = slowness;
    slow.slowSince = run.steps;
    slow.slowFirings = run.firings;
  }
}
