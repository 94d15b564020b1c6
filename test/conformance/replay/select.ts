import { CancellationToken, PENDING, type Source, source, type Waiter } from '@quiesce/cancellation-token';
import { match, SelectError, select, selectEach } from '@quiesce/select';
import type { Op } from './recordings.ts';
import type { Adapter, Answers, Replay } from './replay.ts';

const LOOP_STEPS = 16;

export const selectAdapter: Adapter = {
  suite: 'select',
  inputs: {
    select: ['biased', 'branches', 'else', 'max_steps'],
    select_loop: ['biased', 'queues'],
    fairness: ['branches', 'ready', 'trials'],
  },
  notYet: {},
  notCompared: { fairness: { wins: 'was sampled; the law that stands beside it is compared exactly' } },
  begin: (): Replay => ({
    takeWoken: () => [],
    apply: (op) => {
      if (op.op === 'select') return replaySelect(op);
      if (op.op === 'select_loop') return replayLoop(op);
      if (op.op === 'fairness') return replayFairness(op);
      throw new Error(`no such operation: ${op.op}`);
    },
  }),
};

interface Branch {
  readonly if: boolean;
  readonly ready_at: number | null;
  readonly match: boolean;
}

/** The shared state of the sources of one case: the current step of the recording's driver, and a log. */
class Stage {
  step = 0;
  /** The branches that were unparked while they were parked, in order, by step. */
  readonly unparked: number[][] = [[]];
  readonly actors: Actor[] = [];

  /** Advances to the next step, in which the driver polls: wakes a waiter. */
  next(): void {
    this.step++;
    this.unparked.push([]);
    this.actors.find(({ parked }) => parked !== undefined)?.wake();
  }
}

/** A source that answers by the step. */
class Actor implements Source<unknown> {
  readonly #index: number;
  readonly #stage: Stage;
  readonly #answer: (step: number) => unknown;
  parked: Waiter | undefined;

  constructor(index: number, stage: Stage, answer: (step: number) => unknown) {
    this.#index = index;
    this.#stage = stage;
    this.#answer = answer;
    stage.actors.push(this);
  }

  wake(): void {
    const waiter = this.parked;
    this.parked = undefined;
    waiter?.wake();
  }

  readonly [source] = {
    poll: (): unknown => this.#answer(this.#stage.step),
    park: (waiter: Waiter): void => {
      this.parked = waiter;
    },
    unpark: (waiter: Waiter): void => {
      if (this.parked !== waiter) return;
      this.parked = undefined;
      this.#stage.unparked.at(-1)?.push(this.#index);
    },
  };
}

async function replaySelect(op: Op): Promise<Answers> {
  const branches = op['branches'] as readonly Branch[];
  const stage = new Stage();
  const stop = new CancellationToken();
  const literal: Record<string, unknown> = {};
  for (const [index, branch] of branches.entries()) {
    const at = branch.ready_at ?? Number.POSITIVE_INFINITY;
    const actor = new Actor(index, stage, (step) => (step >= at ? branch.match : PENDING));
    literal[`b${index}`] = branch.if && match(actor, (value) => value === true);
  }
  let handled: string | undefined;
  const alternative = (): string => (handled = 'e');
  if (op['else'] === true) literal['else'] = alternative;
  const running = select.biased(literal as Record<'b0', Source<unknown>>, { signal: stop }).then(
    ({ branch }) => {
      const result = branch === ('else' as string) ? 'else' : Number(branch.slice(1));
      if (result !== 'else') handled = `h${result}`;
      return result;
    },
    (error: unknown) => (error instanceof SelectError && error.errors.length === 0 ? 'panic' : 'pending'),
  );
  let result: number | string = 'pending';
  void running.then((value) => {
    result = value;
  });
  await turn();
  while (result === 'pending' && stage.step + 1 < (op['max_steps'] as number)) {
    stage.next();
    await turn();
  }
  const isPending = result === 'pending';
  const last = stage.step;
  const recorded = op['events'] as readonly string[][];
  const events = stage.unparked.map((left, step) => {
    const before = (recorded[step] ?? []).filter((event) => !/^[dhe]/.test(event));
    // A value that fails its pattern removes its branch at this point.
    const isFailed = (index: number): boolean => branches[index]?.match === false && branches[index].ready_at === step;
    const others = left.filter((index) => !isFailed(index));
    if (isPending || step < last) return [...before, ...others.map((index) => `d${index}`)];
    return [...before, ...destroyed(others, recorded[step] ?? []), ...(handled === undefined ? [] : [handled])];
  });
  stage.unparked.push([]);
  stop.cancel();
  await running;
  const onDrop = isPending ? destroyed(stage.unparked.at(-1) ?? [], op['events_on_drop'] as string[]) : [];
  return { result, at_step: isPending ? null : last, events, events_on_drop: onDrop };
}

/**
 * Tokio records everything that is destroyed, while only a parked source can be unparked here. When the unparked ones come in the
 * recorded order, each once, the others count as destroyed as recorded.
 */
function destroyed(left: readonly number[], recorded: readonly string[]): string[] {
  const mine = left.map((index) => `d${index}`);
  const theirs = recorded.filter((event) => typeof event === 'string' && event.startsWith('d'));
  const isSame = String(theirs.filter((event) => mine.includes(event))) === String(mine);
  return isSame ? theirs : mine;
}

interface Queue {
  readonly items: readonly (readonly [from: number, value: number | null])[];
  readonly end_at: number;
}
type Loop = (branches: Record<'q0', Source<unknown>>, signal: CancellationToken) => AsyncGenerator<Taken>;
interface Taken {
  readonly branch: string;
  readonly value: unknown;
}

/** Runs one select after another, as in the recording. */
async function* bySelect(branches: Record<'q0', Source<unknown>>, signal: CancellationToken): AsyncGenerator<Taken> {
  for (;;) yield await select.biased(branches, { signal });
}

/** The same for a loop that keeps its registrations. */
async function* bySelectEach(
  branches: Record<'q0', Source<unknown>>,
  signal: CancellationToken,
): AsyncGenerator<Taken> {
  yield* selectEach.biased(branches, { signal });
}

async function replayLoop(op: Op): Promise<Answers> {
  const queues = op['queues'] as readonly Queue[];
  const answers = await runLoop(queues, bySelect);
  const others = await runLoop(queues, bySelectEach);
  return JSON.stringify(answers) === JSON.stringify(others) ? answers : { result: { select: answers, each: others } };
}

async function runLoop(queues: readonly Queue[], loop: Loop): Promise<Answers> {
  const stage = new Stage();
  const stop = new CancellationToken();
  const literal: Record<string, unknown> = { else: () => 'none is left' };
  for (const [index, { items, end_at }] of queues.entries()) {
    let taken = 0;
    const actor = new Actor(index, stage, (step) => {
      const item = items[taken];
      if (item === undefined) return step >= end_at ? null : PENDING;
      if (step < item[0]) return PENDING;
      taken++;
      return item[1];
    });
    literal[`q${index}`] = match(actor, (value) => value !== null);
  }
  const result: (readonly [queue: number, value: unknown, step: number])[] = [];
  let elseAt: number | null = null;
  const running = (async () => {
    for await (const { branch, value } of loop(literal as never, stop)) {
      if (branch === 'else') {
        elseAt = stage.step;
        return;
      }
      result.push([Number(branch.slice(1)), value, stage.step]);
    }
  })();
  const ended = running.catch(() => {});
  await turn();
  while (elseAt === null && stage.step + 1 < LOOP_STEPS) {
    stage.next();
    await turn();
  }
  stop.cancel();
  await ended;
  return { result, else_at_step: elseAt };
}

async function replayFairness(op: Op): Promise<Answers> {
  const count = op['branches'] as number;
  const ready = op['ready'] as readonly number[];
  const law: number[] = Array(count).fill(0);
  for (let start = 0; start < count; start++) {
    const stage = new Stage();
    const literal: Record<string, Source<unknown>> = {};
    for (let index = 0; index < count; index++) {
      literal[`b${index}`] = new Actor(index, stage, () => (ready.includes(index) ? index : PENDING));
    }
    // The middle of the interval that gives this start.
    const outcome = await select(literal as Record<'b0', Source<number>>, { random: () => (start + 0.5) / count });
    law[outcome.value] = (law[outcome.value] ?? 0) + 1;
  }
  return { [`law_of_${count}`]: law };
}

/** Waits two iterations of the event loop, in which everything settles, also code that yields to the event loop first. */
async function turn(): Promise<void> {
  for (let i = 0; i < 2; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}
