import type { Case, Op, Recording } from './recordings.ts';

/** The answers to one operation, under the names of the recording. */
export type Answers = Readonly<Record<string, unknown>>;

/** One case during its replay. */
export interface Replay {
  /** Performs the operation. Returns an answer for every field that is not an input, apart from `wakes`. */
  apply(op: Op): Answers | Promise<Answers>;
  /** Returns the ids of the waiters woken since the last call. */
  takeWoken(): number[];
  /** Waiters that have ended and can no longer be woken, although Tokio may wake them. Such wakes are counted, and not compared. */
  readonly ended?: ReadonlySet<number>;
}

/** The adapter that replays one suite on the packages. */
export interface Adapter {
  readonly suite: string;
  /** The inputs of each replayed operation. Every other field is an answer, and is compared. */
  readonly inputs: Readonly<Record<string, readonly string[]>>;
  /** Operations that cannot be replayed yet, each with the missing part. */
  readonly notYet: Readonly<Record<string, string>>;
  /** Answers that are not compared, by operation, each with the reason; `*` means every operation. */
  readonly notCompared: Readonly<Record<string, Readonly<Record<string, string>>>>;
  begin(): Replay;
}

/** A place where a replay differs from the recording. */
interface Difference {
  readonly id: string;
  readonly seed: number;
  /** Index of the operation in the case, from 0. */
  readonly index: number;
  readonly op: Op;
  readonly what: string;
}

/** The result of one suite. */
export interface Outcome {
  readonly suite: string;
  readonly cases: number;
  readonly operations: number;
  /** Operations that were not replayed, by name. */
  readonly skipped: ReadonlyMap<string, number>;
  /** Wakes of ended waiters, which have no meaning. */
  readonly spurious: number;
  /** The first difference of each case that has one. */
  readonly differences: readonly Difference[];
}

/** Replays every case of a recording. */
export async function replay(recording: Recording, adapter: Adapter): Promise<Outcome> {
  const skipped = new Map<string, number>();
  const differences: Difference[] = [];
  const spurious = { count: 0 };
  let operations = 0;
  for (const one of recording.cases) {
    operations += one.ops.length;
    const difference = await replayCase(one, adapter, skipped, spurious);
    if (difference !== undefined) differences.push(difference);
  }
  return {
    suite: recording.suite,
    cases: recording.cases.length,
    operations,
    skipped,
    spurious: spurious.count,
    differences,
  };
}

/** Stops at the first difference: later ones have no meaning. */
async function replayCase(
  one: Case,
  adapter: Adapter,
  skipped: Map<string, number>,
  spurious: { count: number },
): Promise<Difference | undefined> {
  const running = adapter.begin();
  /** Ids that only skipped operations know. */
  const unknown = new Set<number>();
  for (const [index, op] of one.ops.entries()) {
    const found = (what: string): Difference => ({ id: one.id, seed: one.seed, index, op, what });
    if (Object.hasOwn(adapter.notYet, op.op)) {
      skipped.set(op.op, (skipped.get(op.op) ?? 0) + 1);
      unknown.add(op['w'] as number);
      // Skipping is sound only when no replayed handle could have seen the effect.
      const seen = wakesOf(op).filter((id) => !unknown.has(id));
      if (seen.length > 0) return found(`is not replayed, but woke ${seen}`);
      continue;
    }
    const ended = wakesOf(op).filter((id) => running.ended?.has(id));
    spurious.count += ended.length;
    const what = await step(op, adapter, running, new Set([...unknown, ...ended]));
    if (what !== undefined) return found(what);
  }
  return undefined;
}

/** Replays one operation, and returns the difference. */
async function step(op: Op, adapter: Adapter, running: Replay, unknown: Set<number>): Promise<string | undefined> {
  const inputs = adapter.inputs[op.op];
  if (inputs === undefined) return 'is an operation that the adapter does not know';
  let answers: Answers;
  try {
    const applied = running.apply(op);
    answers = applied instanceof Promise ? await applied : applied;
  } catch (error) {
    return `threw ${String(error)}`;
  }
  for (const [field, recorded] of Object.entries(op)) {
    if (field === 'op' || field === 'wakes' || inputs.includes(field)) continue;
    if (adapter.notCompared[op.op]?.[field] ?? adapter.notCompared['*']?.[field]) continue;
    const differs = `${field}: Tokio answered ${JSON.stringify(recorded)}, we ${JSON.stringify(answers[field])}`;
    if (JSON.stringify(answers[field]) !== JSON.stringify(recorded)) return differs;
  }
  // Compared as a set, because Tokio does not document the order.
  const recorded = wakesOf(op).filter((id) => !unknown.has(id));
  const woken = running.takeWoken();
  if (String(woken.sort(ascending)) === String(recorded.sort(ascending))) return undefined;
  return `wakes: Tokio woke [${recorded}], we [${woken}]`;
}

function wakesOf(op: Op): number[] {
  return [...((op['wakes'] as readonly number[] | undefined) ?? [])];
}

function ascending(a: number, b: number): number {
  return a - b;
}

/** Describes a suite in one paragraph, with the skipped operations and the reasons. */
export function describeOutcome(outcome: Outcome, adapter: Adapter): string {
  const left = [...outcome.skipped.values()].reduce((sum, count) => sum + count, 0);
  const lines = [
    `${outcome.suite}: ${outcome.cases} cases, ${outcome.operations} operations, of which ${outcome.operations - left} replayed`,
  ];
  if (outcome.spurious > 0) lines.push(`  not compared: ${outcome.spurious} wakes of what had ended`);
  for (const [op, count] of outcome.skipped) {
    lines.push(`  not yet replayed: ${op}, ${count} times (${adapter.notYet[op]})`);
  }
  return lines.join('\n');
}

/** Describes the differences, the most useful ones first. */
export function describeDifferences(outcome: Outcome): string {
  const shown = outcome.differences.slice(0, 5).map(({ id, seed, index, op, what }) => {
    return `${id} (seed ${seed}), operation ${index}: ${JSON.stringify(op)}\n    ${what}`;
  });
  return [`${outcome.differences.length} of ${outcome.cases} cases differ`, ...shown].join('\n  ');
}
