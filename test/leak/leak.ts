/** Measures what is left behind: bytes a turn, and objects that outlive their use. For the tests of the project `leak`. */

/** Collects all garbage there is. A turn must end before what its WeakRefs have shown can be collected. */
export async function collectGarbage(): Promise<void> {
  const gc = (globalThis as { gc?: (options: object) => unknown }).gc;
  if (gc === undefined) throw new Error('leak tests need --expose-gc: run them with `--project leak`');
  for (let turn = 0; turn < 3; turn++) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    // From a task of its own: Chromium keeps every object that its stack may refer to.
    await gc({ type: 'major', execution: 'async' });
  }
}

/** How a growth is measured. */
export interface Measure {
  /** How many turns are measured together; more of them hide more noise. */
  turns: number;
  /** Growth that is noise, in bytes a turn: the first round that grows by less decides. */
  below?: number;
  /** How many rounds are measured at most. A leak grows in every round. What the engine compiles and sweeps shows in some of them. */
  rounds?: number;
}

/**
 * By how many bytes the heap grows with each turn, in the long run.
 *
 * @param turn what is repeated; a promise that it returns is awaited. What it keeps on purpose shows as growth.
 * @returns bytes; with 100,000 turns, less than 1 is noise
 */
export async function bytesPerTurn(
  { turns, below = 1, rounds = 6 }: Measure,
  turn: (i: number) => unknown,
): Promise<number> {
  // Compiled code and grown tables must not count.
  await repeat(turns, turn);
  let least = Number.POSITIVE_INFINITY;
  let before = await heap();
  for (let round = 0; round < rounds && least >= below; round++) {
    await repeat(turns, turn);
    const after = await heap();
    least = Math.min(least, (after - before) / turns);
    before = after;
  }
  return least;
}

/**
 * How many of the objects that `make` returns are still there after a collection.
 *
 * @param count how many objects to make
 * @param make makes one; a promise that it returns is awaited, and what it gives is watched
 */
export async function survivors(count: number, make: (i: number) => object | Promise<object>): Promise<number> {
  const made: WeakRef<object>[] = [];
  await repeat(count, async (i) => {
    const product = make(i);
    made.push(new WeakRef(product instanceof Promise ? await product : product));
  });
  const left = (): number => made.filter((ref) => ref.deref() !== undefined).length;
  // A leak stays, however often one collects; what the engine still had at hand goes.
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
