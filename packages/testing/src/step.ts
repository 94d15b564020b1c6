// A step: the host runs one callback, then `process.nextTick` and microtask jobs until both queues are empty.
//
// Invariants
// 1. At a choice point both queues are empty, and no real immediate is pending.
// 2. An event's callback is called from a macrotask, or from the round that its overlap names; never from a promise of the explorer.
// 3. An overlapping event that is impossible when its round comes does not happen.

import { endOfRun, holds } from './end.ts';
import { show } from './errors.ts';
import { node } from './host.ts';
import type { Interruption } from './interruption.ts';
import { listAlternatives, passOver } from './order.ts';
import { pairsOf } from './overlap.ts';
import type { Run } from './run.ts';
import { type Decision, START, type Where } from './schedule.ts';
import type { Session, Watch } from './session.ts';
import type { Alternative } from './source.ts';
import { joined } from './story.ts';
import { isThenable } from './thenable.ts';

/** How many macrotasks captured immediates may take within one step. */
const MOST_IMMEDIATES = 1_000;
/** How long a stuck run waits for something real: in ms, and in looks, because a busy machine does little in that time. */
const REAL_WAIT = 50;
const LEAST_LOOKS = 20;

/** Drives one run from its first step to its end. */
export class Step {
  readonly #session: Session;
  readonly #run: Run;
  readonly #watch: Watch;
  readonly #onEnd: () => void;
  #immediates = 0;
  #isCounting = false;

  constructor(session: Session, run: Run, watch: Watch, onEnd: () => void) {
    this.#session = session;
    this.#run = run;
    this.#watch = watch;
    this.#onEnd = onEnd;
  }

  start(test: () => unknown): void {
    const run = this.#run;
    this.#session.macrotasks.next(() => {
      this.#session.stepContextId = node.asyncHooks?.executionAsyncId();
      run.story?.event('start');
      this.#enter(() => this.#call(test));
      this.#overlapStart();
      this.#session.macrotasks.next(this.#after);
    });
  }

  /** Aborts a signal inside the first step, or counts its rounds. Acts begin at the first choice point. */
  #overlapStart(): void {
    const run = this.#run;
    const decision = run.chooser.start?.();
    if (decision?.overlap !== undefined) {
      const { choice, where } = decision.overlap;
      run.decisions.push(decision);
      const abort = (): void => {
        const other = run.interruptions[choice];
        if (other === undefined) run.misfit ??= `there is no signal ${choice} in the first step`;
        else this.#overlap(other.alternative, withinStep(where));
      };
      run.chosenNames.push(run.interruptions[choice]?.name() ?? '');
      this.#at(where, abort);
    } else if (this.#watch.countFrom === START && run.settings.overlap !== 'none') {
      run.trace.startPairs = run.interruptions.flatMap(({ kind, isFree }, choice) =>
        kind === 'signal' ? [{ choice, isFree, from: 'right after' as const }] : [],
      );
      if (run.trace.startPairs.length === 0) return;
      this.#isCounting = true;
      this.#session.rounds.count();
    }
  }

  #call(test: () => unknown): void {
    const run = this.#run;
    const fulfilled = (): void => {
      run.settled ??= { status: 'fulfilled' };
      run.story?.note('the test ends');
    };
    const rejected = (reason: unknown): void => {
      run.settled ??= { status: 'rejected', reason };
      run.story?.rejected(reason);
      if (run.cancelSignal?.signal.aborted !== true) run.fail('test', reason);
    };
    try {
      const result = test();
      if (isThenable(result)) {
        run.testPromise = Promise.resolve(result);
        run.testPromise.then(fulfilled, rejected);
      } else fulfilled();
    } catch (error) {
      rejected(error);
    }
  }

  /** Inspects the step that has ended, and begins the next one. */
  readonly #after = (): void => {
    const { host, macrotasks, handles } = this.#session;
    const run = this.#run;
    const { hasImmediate, suspect } = handles.inspect();
    if (hasImmediate && host.setImmediate !== undefined && this.#immediates++ < MOST_IMMEDIATES) {
      host.setImmediate(() => macrotasks.next(this.#after));
      return;
    }
    this.#immediates = 0;
    this.#session.isInStep = false;
    run.suspect ??= suspect;
    this.#recordRounds();
    run.checkEffects();
    for (const { name, check } of run.checks) checkInvariant(run, name, check);
    if (run.failure !== undefined || run.settled !== undefined) {
      this.#end();
      return;
    }
    if (run.steps >= run.settings.steps) {
      this.#endless();
      return;
    }
    const list = listAlternatives(run);
    if (list.length === 0) this.#stuck();
    else this.#choose(list);
  };

  #choose(list: Alternative[]): void {
    const run = this.#run;
    const point = run.trace.length;
    if (run.story !== undefined) run.story.possibilities[point] = namesOf(list);
    const decision = run.decide(list, '');
    const chosen = list[decision.choice];
    const other = decision.overlap === undefined ? undefined : list[decision.overlap.choice];
    if (run.failure !== undefined || chosen === undefined || (decision.overlap !== undefined && other === undefined)) {
      run.misfit ??= `point ${decision.point} has only ${list.length === 1 ? '1 possibility' : `${list.length} possibilities`}: ${namesOf(list)}`;
      this.#end();
      return;
    }
    this.#recordStep(list, chosen, decision);
    this.#perform(list, chosen, decision, other);
    this.#session.macrotasks.next(this.#after);
  }

  #recordStep(list: Alternative[], chosen: Alternative, decision: Decision): void {
    const run = this.#run;
    const isDefault = decision.choice === 0 && !decision.late && decision.overlap === undefined;
    if (isDefault && run.story === undefined) return;
    const name = chosen.source.name(chosen.variant);
    if (!isDefault) run.nameDecision(decision, list, name);
    const first = list[0] as Alternative;
    const instead = decision.choice === 0 ? [] : [`before ${first.source.name(first.variant)}`];
    if (decision.late) instead.push(`late, when the timer after ${run.timers.timers[0]?.ms} ms is due`);
    run.story?.event(name, decision.choice !== 0 || decision.late, instead.join('; '));
  }

  #perform(list: Alternative[], chosen: Alternative, decision: Decision, other: Alternative | undefined): void {
    const run = this.#run;
    run.steps++;
    passOver(run, list, decision.choice);
    run.stepOf = chosen.source.kind;
    if (decision.late) run.moveTo(run.timers.due);
    const where = decision.overlap?.where;
    this.#enter(() => {
      if (where === '<') this.#overlap(other, withinStep(where));
      if (where !== '<' || chosen.source.isPossible(chosen.variant)) chosen.source.perform(chosen.variant);
    });
    if (where === undefined) {
      if (decision.point >= this.#watch.countFrom) this.#count(list, decision);
    } else if (where !== '<') this.#at(where, () => this.#overlap(other, withinStep(where)));
  }

  /** Calls `fn` at a position of the step whose callback has just returned. */
  #at(where: Where, fn: () => void): void {
    const { rounds } = this.#session;
    if (where === '0') fn();
    else if (where.startsWith('m')) rounds.after(Number(where.slice(1)), fn);
    else rounds.afterTick(fn);
  }

  /** Lets an event start inside the step of another one, if it is still possible. */
  #overlap(other: Alternative | undefined, text: string): void {
    const run = this.#run;
    if (other === undefined || run.isOver || !other.source.isPossible(other.variant)) return;
    if ((other.source as Partial<Interruption>).canOverlap?.() === false) return;
    run.story?.event(other.source.name(other.variant), true, text);
    this.#enter(() => other.source.perform(other.variant));
  }

  /** Counts the rounds of this step, for events that may overlap it. */
  #count(list: Alternative[], { point, choice }: Decision): void {
    const pairs = pairsOf(list, choice, this.#run.settings.overlap);
    this.#run.trace.pairs[point] = pairs;
    if (pairs === undefined) return;
    this.#isCounting = true;
    this.#session.rounds.count();
  }

  #recordRounds(): void {
    if (!this.#isCounting) return;
    this.#isCounting = false;
    const { trace } = this.#run;
    const { rounds, ticks } = this.#session.rounds.counted();
    const point = trace.length - 1;
    if (point < 0) trace.startRounds = rounds;
    else {
      trace.rounds[point] = rounds;
      trace.ticks[point] = ticks;
    }
  }

  /** Runs code of the test. An error of it is an uncaught exception. */
  #enter(fn: () => void): void {
    const { audit } = this.#session;
    this.#session.isInStep = true;
    try {
      if (audit === undefined) fn();
      else audit.run(fn);
    } catch (error) {
      this.#run.fail('uncaught exception', error);
    }
  }

  #endless(): void {
    const run = this.#run;
    const latest = run.story?.latest(6) ?? [];
    const error = new Error(
      `The run did not end within ${run.settings.steps} steps. Raise \`steps\` when a run may be this long`,
    );
    run.fail('endless', error, latest.length === 0 ? '' : `The last events: ${latest.join(', ')}`);
    this.#end();
  }

  /** The test waits, and nothing can happen. Something real may end the wait. */
  #stuck(): void {
    const run = this.#run;
    const { host } = this.#session;
    const start = host.now();
    let looks = 0;
    const look = (): void => {
      const isAwake = run.settled !== undefined || run.failure !== undefined || listAlternatives(run).length > 0;
      if (isAwake && run.failure === undefined) {
        const what = 'The test waited for something real, which the explorer can neither order nor await';
        run.fail('unmodelled', new Error(`${what}. Replace it by a fake of the world`));
      }
      if (!isAwake && this.#watch.waits && (looks++ < LEAST_LOOKS || host.now() - start < REAL_WAIT)) {
        host.setTimeout(look, 1);
        return;
      }
      if (!isAwake) run.fail('stuck', new Error(`The test waits, and nothing can happen. ${waitingFor(run)}`));
      this.#end();
    };
    look();
  }

  #end(): void {
    const run = this.#run;
    if (run.failure === undefined && run.misfit === undefined) endOfRun(run);
    run.story?.endStep();
    run.isOver = true;
    this.#onEnd();
  }
}

/** Says where in a step an event begins. */
function withinStep(where: Where): string {
  if (where === '<') return 'in the same task, just before the next event';
  if (where === '0') return 'in the same task, right after';
  if (!where.startsWith('m')) return 'within the same step, after its nextTick callbacks';
  const count = Number(where.slice(1));
  return `within the same step, after ${count} round${count === 1 ? '' : 's'} of jobs`;
}

function checkInvariant(run: Run, name: string, check: () => unknown): void {
  try {
    if (holds(`world.always: the check ${show(name)}`, check())) return;
    run.fail('invariant', new Error(`${name} does not hold`));
  } catch (error) {
    run.fail('invariant', error);
  }
}

function namesOf(list: readonly Alternative[]): string {
  return list.map(({ source, variant }, i) => `${i}: ${source.name(variant)}`).join(', ');
}

/** Names what a stuck test may wait for. */
function waitingFor(run: Run): string {
  const tasks = run.tracked.filter(({ isPending }) => isPending).map(({ name }) => name);
  const open = run.resources.filter(({ counts }) => counts).map(({ name }) => name);
  const parts = ['No operation, timer or signal is pending'];
  if (tasks.length > 0) parts.push(`${joined(tasks)} ${tasks.length === 1 ? 'is' : 'are'} pending`);
  if (open.length > 0) parts.push(`${joined(open)} ${open.length === 1 ? 'is' : 'are'} open`);
  const hint = tasks.length === 0 ? '. `world.track` names promises that do not settle' : '';
  return `${parts.join('; ')}${hint}`;
}
