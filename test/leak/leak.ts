/** Measures leaks: growth in bytes a round, and objects that outlive their use. For the tests of the project `leak`. */

/** Collects all garbage. An object that a WeakRef has returned can be collected only after the current task. */
export async function collectGarbage(): Promise<void> {
  const gc = (globalThis as { gc?: (options: object) => unknown }).gc;
  if (gc === undefined) throw new Error('leak tests need --expose-gc: run them with `--project leak`');
  for (let turn = 0; turn < 3; turn++) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    // In a task of its own, because Chromium keeps every object that its stack may refer to.
    await gc({ type: 'major', execution: 'async' });
  }
}

/** Options for a measurement of growth. */
export interface Measure {
  /** How many rounds are measured together. More of them hide more noise. Node has less noise, and runs an eighth of them. */
  turns: number;
  /** Whether Node runs all rounds, too: for a test that promises a number of them. */
  isWhole?: true;
  /** Growth in bytes a round that counts as noise. The first measurement below it decides. */
  below?: number;
  /** The largest number of measurements. A leak grows in each of them; compiled code and swept memory show only in some. */
  rounds?: number;
}

/**
 * Compilation is the noise of a measurement: compiled code, feedback and flushed bytecode take hundreds of kB. Node can do without.
 * Two measurements of the same work then differ by less than 1 kB.
 */
const quiet = ['opt', 'sparkplug', 'flush-bytecode', 'lazy-feedback-allocation'];
/** Only Node changes them at run time. */
const v8 =
  'Bun' in globalThis || 'Deno' in globalThis || globalThis.process?.versions?.['v8'] === undefined
    ? undefined
    : globalThis.process.getBuiltinModule?.('node:v8');
// By default, Node 20 does not use it.
if (Number.parseInt(globalThis.process?.versions?.node ?? '', 10) >= 22) quiet.push('maglev');
const FEWER = 8;

/**
 * Returns by how many bytes the heap grows with each round, in the long run.
 *
 * @param turn the repeated function; its promise is awaited. Values that it retains on purpose show as growth.
 * @returns bytes; with 100,000 turns, less than 1 is noise
 */
export async function bytesPerTurn(measure: Measure, turn: (i: number) => unknown): Promise<number> {
  if (v8 === undefined) return await growthOf(measure, turn, (growth) => growth);
  const fewer = { ...measure, turns: Math.ceil(measure.turns / (measure.isWhole ? 1 : FEWER)) };
  // A heap that has shrunk has lost something else. It could hide a leak.
  return await quietly(() => growthOf(fewer, turn, Math.abs));
}

/** Runs a measurement of memory without compilation, on Node. */
export async function quietly<T>(measure: () => Promise<T>): Promise<T> {
  for (const name of quiet) v8?.setFlagsFromString(`--no-${name}`);
  try {
    return await measure();
  } finally {
    for (const name of quiet) v8?.setFlagsFromString(`--${name}`);
  }
}

async function growthOf(
  { turns, below = 1, rounds = 6 }: Measure,
  turn: (i: number) => unknown,
  weigh: (growth: number) => number,
): Promise<number> {
  // Compiled code and grown tables must not count.
  await repeat(turns, turn);
  let least = Number.POSITIVE_INFINITY;
  let before = await heap();
  for (let round = 0; round < rounds && least >= below; round++) {
    await repeat(turns, turn);
    const after = await heap();
    least = Math.min(least, weigh((after - before) / turns));
    before = after;
  }
  return least;
}

/**
 * Returns how many bytes each call of a synchronous function allocates, whether they are garbage afterwards or not.
 *
 * @param turns so few that all they allocate fits into the young generation: a collection in between would hide it
 * @returns bytes; the least of several measurements, because compiled code shows only in some
 */
export function bytesAllocated(turns: number, turn: () => unknown): number {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 8; round++) {
    (globalThis as { gc?: () => void }).gc?.();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < turns; i++) turn();
    least = Math.min(least, (process.memoryUsage().heapUsed - before) / turns);
  }
  return least;
}

/**
 * Returns how many of the objects that `make` returns survive a collection.
 *
 * @param count how many objects to make
 * @param make makes one object; its promise is awaited
 */
export async function survivors(count: number, make: (i: number) => object | Promise<object>): Promise<number> {
  const made: WeakRef<object>[] = [];
  await repeat(count, async (i) => {
    const product = make(i);
    made.push(new WeakRef(product instanceof Promise ? await product : product));
  });
  const left = (): number => made.filter((ref) => ref.deref() !== undefined).length;
  // A leak survives every collection. Objects that the engine still refers to are collected by a later attempt.
  for (let attempt = 0; attempt < 5; attempt++) {
    await collectGarbage();
    if (left() === 0) break;
  }
  return left();
}

async function heap(): Promise<number> {
  await collectGarbage();
  return process.memoryUsage().heapUsed;
}

async function repeat(turns: number, turn: (i: number) => unknown): Promise<void> {
  for (let i = 0; i < turns; i++) {
    const result = turn(i);
    if (result instanceof Promise) await result;
  }
}

/**
 * A check within a round. An `expect` would take a hundred times as long as what is measured.
 *
 * @throws Error unless the condition holds
 */
export function check(condition: boolean): void {
  if (!condition) throw new Error('a check within a round has failed');
}
