import { Bench } from 'tinybench';

/** One way of doing the work of a row. */
export interface Subject {
  readonly name: string;
  /** Does the work `batch` times. */
  readonly run: () => void | Promise<void>;
}

/** One piece of work, done by us and by others, measured in one process in turns. */
export interface Row {
  readonly name: string;
  /** How often one call of `run` does the work; figures are for one time. */
  readonly batch: number;
  /** The first one is ours. */
  readonly subjects: readonly Subject[];
}

/** What was measured. */
export interface Figure {
  readonly name: string;
  readonly subject: string;
  readonly runtime: string;
  /** The median over the rounds. */
  readonly value: number;
  readonly unit: 'ns';
  /** This subject's time over ours: above 1, we are faster. */
  readonly ratio: number;
}

/** Rivals take turns, so that what disturbs the machine disturbs them all. */
const ROUNDS = 5;
const ROUND_MS = 150;

/** Measures one row. */
export async function measure(row: Row): Promise<Figure[]> {
  const samples = row.subjects.map((): number[] => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, subject] of row.subjects.entries()) samples[index]?.push(await time(subject, row.batch));
  }
  const medians = samples.map(median);
  const ours = medians[0] ?? Number.NaN;
  return row.subjects.map((subject, index) => {
    const value = medians[index] ?? Number.NaN;
    return {
      name: row.name,
      subject: subject.name,
      runtime: `node ${process.versions.node}`,
      value,
      unit: 'ns',
      ratio: value / ours,
    };
  });
}

/** One round of one subject, in ns for one piece of work. */
async function time(subject: Subject, batch: number): Promise<number> {
  const bench = new Bench({ time: ROUND_MS, warmupTime: ROUND_MS / 5, throws: true });
  bench.add(subject.name, subject.run);
  const [task] = await bench.run();
  const result = task?.result;
  if (result?.state !== 'completed') throw new Error(`${subject.name} was not measured: ${result?.state}`);
  return (result.latency.p50 * 1e6) / batch;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}
