// Runs a program of the corpus under the scheduler of fast-check, as far as it can: its tasks are the events of the program, timers
// are tasks, too, and outcomes are generated values. fast-check has no time, so @sinonjs/fake-timers moves it.

import { install } from '@sinonjs/fake-timers';
import fc from 'fast-check';
import { FailureOutcome } from '../../src/operation.ts';
import type { Program } from '../corpus/program.ts';

type AnyFunction = (...args: never[]) => unknown;

/** The world of one run. */
class SampledWorld {
  readonly #scheduler: fc.Scheduler;
  readonly #choices: fc.GeneratorValue;
  readonly checks: (() => unknown)[] = [];
  readonly endChecks: (() => unknown)[] = [];
  readonly held: (() => number)[] = [];
  readonly #open = new Set<object>();
  readonly #timers: () => number;
  /** The resources that the function of a fake is making. */
  #made: object[] | undefined;
  #pending = 0;
  misuse: string | undefined;
  isOver = false;

  constructor(scheduler: fc.Scheduler, choices: fc.GeneratorValue, timers: () => number) {
    this.#timers = timers;
    this.#scheduler = scheduler;
    this.#choices = choices;
  }

  /** Lets a task run when the scheduler chooses it. */
  async #event(label: string): Promise<void> {
    await this.#scheduler.schedule(Promise.resolve(), label);
    for (const check of this.checks) if (check() === false) this.misuse ??= 'an invariant does not hold';
  }

  external(name: string, answer: unknown, options: { failures?: unknown[]; abortable?: boolean } = {}): AnyFunction {
    const { failures = [], abortable = true } = options;
    return async (...args: unknown[]) => {
      const last = args.at(-1) as { signal?: AbortSignal } | undefined;
      const signal = abortable ? last?.signal : undefined;
      signal?.throwIfAborted();
      this.#pending++;
      let made: object[] = [];
      let isAborted = false;
      const answering = (async () => {
        if (typeof answer === 'function') await this.#event(`${name} is handled`);
        if (isAborted) throw signal?.reason;
        this.#made = made;
        const value = typeof answer === 'function' ? answer(...args) : undefined;
        this.#made = undefined;
        await this.#event(`${name} answers`);
        made = [];
        const outcomes = [
          ...(Array.isArray(answer) ? answer : [value]),
          ...failures.map((one) => new FailureOutcome(one)),
        ];
        const outcome: unknown = this.#choices(fc.constantFrom, ...outcomes);
        if (outcome instanceof FailureOutcome) throw outcome.error;
        return outcome;
      })();
      const aborted = new Promise<never>((_, reject) => {
        const onAbort = (): void => {
          isAborted = true;
          // The answer that would give them never comes.
          for (const resource of made) this.#open.delete(resource);
          reject(signal?.reason);
        };
        signal?.addEventListener('abort', onAbort, { once: true });
      });
      return Promise.race([answering, aborted]).finally(() => this.#pending--);
    };
  }

  events(name: string, values: Iterable<unknown>, deliver: (value: unknown) => unknown): void {
    this.#pending++;
    void (async () => {
      for (const value of values) {
        await this.#event(name);
        if (!this.isOver) deliver(value);
      }
      this.#pending--;
    })();
  }

  signal(name = 'signal'): AbortSignal {
    const controller = new AbortController();
    this.anytime(name, () => controller.abort());
    return controller.signal;
  }

  anytime(name: string, act: () => unknown): void {
    void this.#event(name).then(() => (this.isOver ? undefined : act()));
  }

  choose<Value>(_name: string, values: readonly Value[]): Value {
    return this.#choices(fc.constantFrom, ...values) as Value;
  }

  resource(name: string): object {
    let isOpen = true;
    const close = (): void => {
      if (!isOpen) this.misuse ??= `${name} is closed twice`;
      isOpen = false;
      this.#open.delete(resource);
    };
    const use = (): void => {
      if (!isOpen) this.misuse ??= `${name} is used after it was closed`;
    };
    const resource = { name, close, use, [Symbol.dispose]: close };
    this.#open.add(resource);
    this.#made?.push(resource);
    return resource;
  }

  async rest(): Promise<void> {
    do await this.#event('rest');
    while (this.#pending > 0 || this.#timers() > 0);
  }

  always(_name: string, check: () => unknown): void {
    this.checks.push(check);
  }

  atEnd(check: () => unknown): void {
    this.endChecks.push(check);
  }

  holds(): void {
    for (const check of this.endChecks) check();
    for (const count of this.held) if (count() !== 0) throw new Error('something is held');
    if (this.misuse !== undefined) throw new Error(this.misuse);
    if (this.#open.size > 0) throw new Error('a resource is left open');
  }
}

/** Runs a program once, with the choices of fast-check. Rejects when it fails. */
async function sample(
  program: Program,
  isFixed: boolean,
  scheduler: fc.Scheduler,
  g: fc.GeneratorValue,
): Promise<void> {
  const clock = install({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] });
  const world = new SampledWorld(scheduler, g, () => clock.countTimers());
  try {
    const extra = {
      now: 0,
      log() {},
      track() {},
      held: (_: string, count: () => number) => void world.held.push(count),
    };
    const shown = new Proxy(world, {
      get: (target, key) => {
        const value: unknown = key in extra ? extra[key as keyof typeof extra] : Reflect.get(target, key, target);
        if (key === 'now') return clock.now;
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const controller = new AbortController();
    if (program.cancels === true) world.anytime('cancel', () => controller.abort());
    let isSettled = false;
    let error: unknown;
    void (async () => program.test(isFixed)(shown as never, controller.signal))()
      .catch((reason: unknown) => {
        // A program for `cancelEverywhere` is judged by its checks: its failures cost deviations there.
        if (program.cancels !== true) error = reason;
      })
      .finally(() => {
        isSettled = true;
      });
    // The tick of a clock is a task like the others, while a timer is set.
    for (let step = 0; !isSettled && step < 200; step++) {
      for (let round = 0; round < 50; round++) await null;
      if (isSettled) break;
      const isTime = clock.countTimers() > 0 && (scheduler.count() === 0 || g(fc.integer, { min: 0, max: 3 }) === 0);
      if (isTime) clock.next();
      else if (scheduler.count() > 0) await scheduler.waitOne();
      else throw new Error('stuck');
    }
    for (let round = 0; round < 50; round++) await null;
    world.isOver = true;
    if (error !== undefined) throw error;
    world.holds();
  } finally {
    clock.uninstall();
  }
}

/** How many runs begin with one seed. */
const CHUNK = 50;

/** Samples a program for some ms of processor time. Returns the number of runs, and the error of the last one if it failed. */
export async function sampleFor(
  program: Program,
  isFixed: boolean,
  ms: number,
): Promise<{ runs: number; error?: string }> {
  let runs = 0;
  const property = fc.asyncProperty(fc.scheduler(), fc.gen(), async (scheduler, g) => {
    runs++;
    await sample(program, isFixed, scheduler, g);
  });
  const start = process.cpuUsage();
  for (let seed = 1; ; seed++) {
    const details = await fc.check(property, { numRuns: CHUNK, endOnFailure: true, seed });
    if (details.failed) return { runs, error: String(details.errorInstance) };
    const { user, system } = process.cpuUsage(start);
    if (user + system >= ms * 1_000) return { runs };
  }
}
