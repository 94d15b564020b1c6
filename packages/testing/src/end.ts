import { propertyOf } from './errors.ts';
import { node } from './host.ts';
import type { Operation } from './operation.ts';
import type { Run } from './run.ts';
import { joined } from './story.ts';
import { isThenable } from './thenable.ts';

/** The checks after the test has settled. */
export function endOfRun(run: Run): void {
  checkOutcome(run);
  for (const check of run.endChecks) {
    runCheck(run, () => {
      if (!holds('world.atEnd: a check', check())) throw new Error('A check at the end does not hold');
    });
  }
  for (const { name, count } of run.held) {
    runCheck(run, () => {
      const held = count();
      if (held !== 0) throw new Error(`${name} must be 0 at the end, and is ${held}`);
    });
  }
  const pending = run.tracked.filter(({ isPending }) => isPending).map(({ name }) => name);
  if (pending.length > 0) run.fail('end', new Error(`${joined(pending)} must have settled at the end`));
  if (run.settings.leftovers) leftBehind(run);
}

/** Checks how the test ended after `cancelEverywhere` cancelled it. */
function checkOutcome(run: Run): void {
  const signal = run.cancelSignal?.signal;
  const { settled, settings } = run;
  if (signal === undefined || !signal.aborted || settled === undefined || settings.outcome === 'any') return;
  if (settled.status === 'fulfilled') {
    if (settings.outcome === 'reason') run.fail('outcome', new Error('The test fulfilled after it was cancelled'));
    return;
  }
  if (!isReason(settled.reason, signal.reason)) run.fail('outcome', settled.reason);
}

/** Whether an error says that the work was cancelled: the reason, one that it caused, or an `AbortError`. */
function isReason(error: unknown, reason: unknown): boolean {
  if (error === reason) return true;
  if (typeof error !== 'object' || error === null) return false;
  const cause = propertyOf(error, 'cause');
  return propertyOf(error, 'name') === 'AbortError' || (cause !== undefined && cause === reason);
}

/**
 * Returns whether a check holds.
 *
 * @throws TypeError for a promise: the step would end before the check
 */
export function holds(what: string, result: unknown): boolean {
  if (!isThenable(result)) return result !== false;
  result.then(undefined, () => {});
  throw new TypeError(
    `${what} returned a promise. A check must be synchronous: await in the test, and check the result`,
  );
}

function runCheck(run: Run, check: () => void): void {
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
    const all = listenersOf(signal);
    const count =
      all.length === 0 ? 0 : all.filter((listener) => !isOfPlatform(listener)).length - run.ownListeners(signal);
    for (let i = 0; i < count; i++) add(`a listener on the signal ${name}`, places.at(-1) ?? '');
  }
  if (left.length === 0) return;
  run.fail('left behind', new Error(`The test ended and left behind ${joined(left)}`), [...new Set(places)].join(', '));
}

/** Returns the listeners of a signal. Those of simulated pages, such as jsdom's, are not visible. */
function listenersOf(signal: AbortSignal): readonly unknown[] {
  try {
    return node.events?.getEventListeners?.(signal, 'abort') ?? [];
  } catch {
    return [];
  }
}

/**
 * Whether Node added a listener of its own, which code cannot remove: `new Request(url, { signal })` and
 * `addEventListener(type, listener, { signal })` leave one until the request or target is collected.
 */
function isOfPlatform(listener: unknown): boolean {
  platformListeners ??= findPlatformListeners();
  return platformListeners.has(String(listener));
}

/** The texts of these listeners. */
let platformListeners: ReadonlySet<string> | undefined;

function findPlatformListeners(): ReadonlySet<string> {
  const { signal } = new AbortController();
  const target = new EventTarget();
  target.addEventListener('probe', () => {}, { signal });
  const request = typeof Request === 'function' ? new Request('http://localhost/', { signal }) : undefined;
  const found = new Set(listenersOf(signal).map(String));
  void [target, request];
  return found;
}
