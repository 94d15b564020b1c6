import { Follow, Priorities, RandomWalk, randomNumbers } from './choosers.ts';
import { BudgetError, errorText, type RunFailure, ScheduleError } from './errors.ts';
import { installGlobals, refuseFakes } from './globals.ts';
import { captureHost, checkHost, type Host, node, realProcess } from './host.ts';
import {
  type CancelEverywhereOptions,
  checkFunction,
  checkSettings,
  type ExploreOptions,
  type Settings,
} from './options.ts';
import { watchProcess } from './process-events.ts';
import { CHECKED } from './prune.ts';
import type { ExploreReport } from './report.ts';
import { isSameFailure, type Run } from './run.ts';
import { type Decision, formatSchedule, START } from './schedule.ts';
import { decisionsOf, type Plan, Search } from './search.ts';
import { plain, Session, type Test, type Watch } from './session.ts';
import { shrink } from './shrink.ts';
import { Systematic } from './systematic.ts';
import type { World } from './world.ts';

/** The first 16 runs are audited, and then every 16th run. */
const AUDITED = 16;
const isAudited = (run: number): boolean => run < AUDITED || run % AUDITED === 0;
const recorded: Watch = { audited: true, records: true, countFrom: Number.POSITIVE_INFINITY, waits: true };

/** The explorations of this process, one after another. Two copies of the package share it. */
interface ExplorationQueue {
  last: Promise<unknown>;
  session: Session | undefined;
}
const KEY = Symbol.for('quiesce.testing.explorations');
const shared = globalThis as { [KEY]?: ExplorationQueue };
const queue: ExplorationQueue = shared[KEY] ?? { last: Promise.resolve(), session: undefined };
shared[KEY] = queue;

/**
 * Runs a test in every order in which pending answers, timers and signals can arrive, within a bound. Returns a report, or rejects with
 * the first order that fails.
 *
 * Use it for code whose result must not depend on the order of answers. For cancellation alone, use {@link cancelEverywhere}.
 *
 * **Timing.** Each run calls the test once, with a new world and the time reset. Explorations in one process run one after another.
 *
 * @param test calls the code under test with fakes of the world; may be async
 * @returns the report
 * @throws ScheduleError when a schedule fails; BudgetError when the budget ends before the bound in `demand`; TypeError or RangeError
 *   when an option is wrong, and TypeError when it is called inside a test that is explored
 * @see loom::model (loom 0.7) and shuttle::check_dfs (shuttle 0.8)
 * @example
 * ```ts
 * const error = await explore(async (world) => {
 *   const read = world.external('read', ['balance']);
 *   const order: string[] = [];
 *   await Promise.all(['a', 'b'].map((name) => read(name).then(() => order.push(name))));
 *   if (order[0] === 'b') throw new Error('b came first');
 * }).catch((reason) => reason);
 * console.log(error.kind, error.cause.message, error.report.foundIn); // => test b came first 2
 * ```
 */
export function explore(test: (world: World) => unknown, options?: ExploreOptions): Promise<ExploreReport> {
  return start('explore', test, options);
}

/**
 * Runs a test and cancels its signal at every point at which a cancellation can arrive: between two events, just before and after each,
 * and after each round of jobs inside a step.
 *
 * **Timing.** The first run is cancelled only when nothing else can happen. A test that hangs until it is cancelled therefore passes:
 * `explore` finds such a hang. Cancelling costs no deviation: `bound: 1` cancels everywhere in each schedule with one.
 *
 * @param test calls the code under test with fakes of the world and the signal
 * @returns the report; `cancelCount` counts the positions
 * @throws ScheduleError when a run does not settle, settles wrongly (`outcome`), or leaves something behind; BudgetError, TypeError and
 *   RangeError as `explore`
 * @example
 * ```ts
 * const report = await cancelEverywhere(async (world, signal) => {
 *   const connect = world.external('connect', () => world.resource('connection'));
 *   const connection = await connect({ signal });
 *   connection.close();
 * });
 * console.log(report.cancelCount > 5, report.stoppedBy); // => true exhausted
 * ```
 */
export function cancelEverywhere(
  test: (world: World, signal: AbortSignal) => unknown,
  options?: CancelEverywhereOptions,
): Promise<ExploreReport> {
  return start('cancelEverywhere', test as Test, options);
}

async function start(call: string, test: unknown, options: unknown): Promise<ExploreReport> {
  checkHost(call);
  checkFunction(`${call}: the test`, test);
  const settings = checkSettings(call, options);
  if (isNested())
    throw new TypeError(`${call}: a test that is explored cannot explore another: it would wait for itself`);
  const result = queue.last.then(() => new Exploration(settings, test as Test).run());
  queue.last = result.catch(() => {});
  return result;
}

/** Whether the caller is code of the run in progress. */
function isNested(): boolean {
  const { session } = queue;
  if (session?.run === undefined || !session.isInStep) return false;
  const id = node.asyncHooks?.executionAsyncId();
  return id === undefined || id === session.stepContextId || session.run.ownsAsyncContext(id);
}

/** One call of `explore` or `cancelEverywhere`. */
class Exploration {
  readonly #settings: Settings;
  readonly #host: Host;
  readonly #search: Search;
  readonly #random: () => number;
  readonly #test: Test;
  readonly #start: number;
  /** Read once: each read of the environment is a system call. */
  readonly #prints = realProcess?.env?.['QUIESCE_PROGRESS'] === '1';
  #session!: Session;
  #schedules = 0;
  #cancels = 0;
  #points = 0;
  #depth = 0;
  #foundIn: number | undefined;
  #lastProgress: number;
  #pairs = 0;

  constructor(settings: Settings, test: Test) {
    this.#settings = settings;
    this.#test = test;
    if (settings.globals) refuseFakes(settings.call);
    this.#host = captureHost();
    this.#search = new Search(settings);
    this.#random = randomNumbers(settings.seed);
    this.#start = this.#host.now();
    this.#lastProgress = this.#start;
  }

  async run(): Promise<ExploreReport> {
    const settings = this.#settings;
    this.#session = new Session(settings, this.#host, this.#test);
    queue.session = this.#session;
    const getRun = (): Run | undefined => this.#session.run;
    const unwatch = watchProcess(getRun);
    let restore: () => void = () => {};
    try {
      if (settings.globals) restore = installGlobals(settings.now, getRun);
      if (settings.replay !== undefined) return await this.#replay(settings.replay.decisions);
      return settings.strategy === 'systematic' ? await this.#systematic() : await this.#sample();
    } finally {
      restore();
      // An unhandled rejection of a run must not reach the test runner.
      await new Promise<void>((resolve) => this.#session.macrotasks.next(resolve));
      unwatch();
      this.#session.close();
      queue.session = undefined;
    }
  }

  async #systematic(): Promise<ExploreReport> {
    const { bound, schedules, ms, cancel } = this.#settings;
    for (let plan = this.#search.next(); plan !== undefined; plan = this.#search.next()) {
      const stoppedBy = this.#schedules >= schedules ? 'schedules' : this.#elapsed() >= ms ? 'ms' : undefined;
      if (stoppedBy !== undefined) return this.#budgetEnds(stoppedBy);
      const isExtended = plan.cost < bound || (cancel && !plan.isCancelled);
      const chooser = new Systematic(decisionsOf(plan), this.#settings.commutes);
      const run = await this.#session.execute(chooser, {
        ...plain,
        audited: isAudited(this.#schedules),
        countFrom:
          isExtended && this.#settings.overlap !== 'none' ? (plan.decision?.point ?? START) : Number.POSITIVE_INFINITY,
      });
      if (chooser.isRedundant) {
        this.#search.prunedCount++;
        await this.#checkPairs(chooser, run);
        continue;
      }
      this.#count(run);
      if (plan.isCancelled) this.#cancels++;
      const isFirst = plan.decision === undefined || plan.decision.point === START;
      const isSame = isFirst || run.trace.hashes[plan.decision?.point ?? 0] === plan.hash;
      if (!isSame || run.misfit !== undefined || chooser.left.length > 0) await this.#differs(plan, run);
      await this.#judge(run);
      await this.#checkPairs(chooser, run);
      this.#search.extend(plan, run.trace);
      this.#progress();
    }
    return this.#report(this.#search.isCut ? 'bound' : 'exhausted');
  }

  #budgetEnds(stoppedBy: 'schedules' | 'ms'): ExploreReport {
    const { call, demand } = this.#settings;
    const report = this.#report(stoppedBy);
    if (report.bound >= demand) return report;
    const budget = stoppedBy === 'ms' ? `${this.#settings.ms} ms` : `${report.scheduleCount} schedules`;
    const wanted = demand === Number.POSITIVE_INFINITY ? 'All schedules were' : `Bound ${demand} was`;
    const text = `${call}: the budget of ${budget} ended at bound ${report.bound}. ${wanted} demanded`;
    throw new BudgetError(`${text}: raise budget, or lower demand`, report);
  }

  async #sample(): Promise<ExploreReport> {
    const { strategy, depth, schedules, ms } = this.#settings;
    while (this.#schedules < schedules) {
      if (this.#elapsed() >= ms) return this.#report('ms');
      const chooser =
        strategy === 'random' ? new RandomWalk(this.#random) : new Priorities(this.#random, depth, this.#depth || 20);
      const run = await this.#session.execute(chooser, { ...plain, audited: isAudited(this.#schedules) });
      this.#count(run);
      await this.#judge(run);
      this.#progress();
    }
    return this.#report('schedules');
  }

  async #replay(decisions: readonly Decision[]): Promise<ExploreReport> {
    const chooser = new Follow(decisions);
    const run = await this.#session.execute(chooser, recorded);
    this.#count(run);
    const [missed] = chooser.left;
    const misfit =
      run.misfit ??
      (missed === undefined
        ? undefined
        : `The run has only ${run.trace.length} points; the string decides at point ${missed.point}`) ??
      run.checkNames(this.#settings.replay?.check);
    if (misfit !== undefined) {
      const cause = new Error(`The schedule string does not fit: ${misfit}`);
      this.#foundIn = 1;
      throw this.#error({ kind: 'replay', cause, place: '' }, run, formatSchedule(decisions));
    }
    if (run.failure !== undefined) {
      this.#foundIn = 1;
      throw this.#error(run.failure, run);
    }
    return this.#report('replay');
  }

  #count(run: Run): void {
    this.#schedules++;
    this.#points += run.trace.length;
    this.#depth = Math.max(this.#depth, run.trace.length);
  }

  /** Confirms a suspected failure, and reports it. */
  async #judge(run: Run): Promise<void> {
    if (run.failure === undefined && run.suspect === undefined) return;
    if (run.failure !== undefined) this.#foundIn = this.#schedules;
    const again = await this.#session.execute(new Follow(run.decisions), recorded);
    if (run.failure === undefined) {
      if (again.failure === undefined) {
        // The handle belongs to the runner.
        this.#session.handles.remember();
        return;
      }
      this.#foundIn = this.#schedules;
    } else if (run.failure.kind === 'unmodelled' && again.failure?.kind !== 'unmodelled') {
      // Something real is made once, such as a cache. Naming it says more than that the runs differ.
      throw this.#error(run.failure, again);
    } else if (!isSameFailure(run.failure, again.failure) && again.failure?.kind !== 'unmodelled') {
      throw this.#nondeterminism(run, again);
    }
    throw await this.#shrunk(again);
  }

  /** Shrinks a failing run, and returns its error. */
  async #shrunk(failed: Run): Promise<ScheduleError> {
    const failure = failed.failure as RunFailure;
    const smaller = await shrink(failed.decisions, async (candidate) => {
      const chooser = new Follow(candidate);
      const audited = failure.kind === 'unmodelled';
      const run = await this.#session.execute(chooser, { ...plain, audited, waits: audited });
      const isSame = run.misfit === undefined && isSameFailure(run.failure, failure);
      return isSame ? run.decisions : undefined;
    });
    if (smaller === failed.decisions) return this.#error(failure, failed);
    const run = await this.#session.execute(new Follow(smaller), recorded);
    return isSameFailure(run.failure, failure)
      ? this.#error(run.failure as RunFailure, run)
      : this.#error(failure, failed);
  }

  #nondeterminism(before: Run, now: Run): ScheduleError {
    const endOf = ({ failure }: Run): string =>
      failure === undefined ? 'passed' : `failed (${failure.kind}: ${errorText(failure.cause)})`;
    const cause = new Error(
      `Equal choices led to different ends: the test ${endOf(before)}, then it ${endOf(now)}. ${causes}`,
    );
    return this.#error({ kind: 'nondeterminism', cause, place: '' }, now, formatSchedule(before.decisions));
  }

  /** Reports that equal choices led to different possibilities. Runs both schedules again to name the difference. */
  async #differs(plan: Plan, run: Run): Promise<never> {
    const decisions = decisionsOf(plan);
    const point = plan.decision?.point ?? 0;
    this.#foundIn = this.#schedules;
    const before = await this.#session.execute(
      new Follow(decisions.filter((decision) => decision.point < point)),
      recorded,
    );
    const now = await this.#session.execute(new Follow(decisions), recorded);
    const at = (one: Run): string => one.story?.possibilities[point] ?? 'the run ended earlier';
    const met =
      at(before) === at(now)
        ? `Now both runs have the same possibilities: ${at(now)}. An earlier run changed something that outlives it`
        : `Possible in one run: ${at(before)}. In another: ${at(now)}`;
    const cause = new Error(
      `Equal choices led to other possibilities than before at point ${point}${run.misfit === undefined ? '' : ` (${run.misfit})`}. ` +
        `${met}. ${causes}`,
    );
    throw this.#error({ kind: 'nondeterminism', cause, place: '' }, now, formatSchedule(decisions));
  }

  /** Runs one in twenty of the pairs that `commutes` declares in both orders. */
  async #checkPairs(chooser: Systematic, run: Run): Promise<void> {
    for (const { point, first, second } of chooser.pairs) {
      if (this.#pairs++ % CHECKED !== 0) continue;
      const prefix = run.decisions.filter((decision) => decision.point < point);
      const ends: string[] = [];
      for (const names of [
        [first, second],
        [second, first],
      ]) {
        const both = new Systematic(prefix, undefined, { point, names });
        const result = await this.#session.execute(both, plain);
        if (result.failure !== undefined) await this.#judge(result);
        ends.push(both.seen ?? `not possible in the order ${names.join(', ')}`);
      }
      if (ends[0] === ends[1]) continue;
      this.#foundIn = this.#schedules;
      const cause = new Error(
        `commutes says that ${first} and ${second} commute. After both, other events are possible: ${ends.join('; or ')}`,
      );
      throw this.#error({ kind: 'nondeterminism', cause, place: '' }, run);
    }
  }

  #error(failure: RunFailure, run: Run, given?: string): ScheduleError {
    const schedule = given ?? formatSchedule(run.decisions, run.chosenNames);
    const story = run.story?.lines() ?? [];
    const report = this.#report('failure');
    const place = failure.place === '' ? '' : ` (${failure.place})`;
    const { call } = this.#settings;
    const message = [
      `${failure.kind}: ${errorText(failure.cause)}${place}`,
      ...story,
      `${run.decisions.length === 0 ? 'This is the default order' : '◂ differs from the default order'}. Schedule ${report.foundIn}, ${Math.round(report.durationMs)} ms. ` +
        `Again: ${call}(test, { replay: '${schedule}' }), or QUIESCE_REPLAY='${schedule}'`,
    ].join('\n');
    return new ScheduleError(failure, schedule, story, report, message);
  }

  #elapsed(): number {
    return this.#host.now() - this.#start;
  }

  #report(stoppedBy: ExploreReport['stoppedBy']): ExploreReport {
    const isDone = stoppedBy === 'exhausted' || stoppedBy === 'bound';
    return {
      scheduleCount: this.#schedules,
      foundIn: this.#foundIn,
      prunedCount: this.#search.prunedCount,
      cancelCount: this.#cancels,
      meanPointCount: this.#schedules === 0 ? 0 : this.#points / this.#schedules,
      depth: this.#depth,
      bound: isDone ? this.#settings.bound : this.#search.finished,
      isComplete: stoppedBy === 'exhausted',
      stoppedBy,
      durationMs: this.#elapsed(),
    };
  }

  #progress(): void {
    const { progress } = this.#settings;
    if (progress === undefined && !this.#prints) return;
    const now = this.#host.now();
    if (now - this.#lastProgress < 1_000) return;
    this.#lastProgress = now;
    const report = this.#report(undefined);
    progress?.(report);
    if (this.#prints)
      realProcess?.stderr?.write(`${this.#settings.call}: ${report.scheduleCount} schedules, bound ${report.bound}\n`);
  }
}

const causes =
  'Possible causes: state that outlives a run (a module, a cache), real randomness, real time, or something real that the test awaits';
