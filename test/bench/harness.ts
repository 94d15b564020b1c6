// The parts of a benchmark, and the sampling. It runs in the measured process.

import { Bench } from 'tinybench';
import type { Budget } from './budget.ts';

/** One way to do the work of a row. */
export interface Subject {
  readonly name: string;
  /** Takes one sample, in the row's unit. The first one is discarded: it gives the optimiser time. */
  sample(isFirst: boolean): number | Promise<number>;
}

/** One piece of work, done by Quiesce and by rivals, measured alternately in one process. */
export interface Row {
  readonly name: string;
  readonly unit: 'ns' | 'B' | 'listeners';
  /** Makes the subjects, Quiesce first. Called in the process that measures this row, so that it holds nothing of other rows. */
  readonly subjects: () => readonly Subject[] | Promise<readonly Subject[]>;
  readonly budgets: readonly Budget[];
  /** How many samples each process takes of each subject, alternately. */
  readonly rounds?: number;
}

/** The samples of a row from one process. */
export interface Measured {
  readonly name: string;
  readonly unit: Row['unit'];
  readonly runtime: string;
  readonly budgets: readonly Budget[];
  /** The samples of each subject. Those at the same index were taken in direct succession. */
  readonly subjects: readonly { readonly name: string; readonly samples: readonly number[] }[];
}

/** Work that is timed. */
export interface Work {
  readonly name: string;
  /** How often `run` does the work. Figures are for one time. */
  readonly batch: number;
  /** Does the work. */
  readonly run: () => void | Promise<void>;
  /** Makes the input of `run` before each run, untimed. */
  readonly prepare?: () => void;
  /** Fulfils when the prepared input is ready; untimed. */
  readonly ready?: () => Promise<void>;
  /** How many runs make one sample of prepared work. Default: 5. */
  readonly runs?: number;
  /** Throws unless the run did its work; untimed. */
  readonly check?: () => void;
  /** Whether `run` returns a promise. */
  readonly isAsync?: boolean;
}

/** The subjects alternate, so that a disturbance of the machine affects all of them. One extra round, the first, only warms up. */
const ROUNDS = 5;
/** The length of a sample of work that needs no preparation. */
const SAMPLE_MS = 40;
/** Factor by which prepared work runs more often in the first round. */
const WARMUP = 3;

/**
 * Measures a row. tinybench takes the samples, and the subjects alternate: one sample of each, then the next round. tinybench and
 * mitata alone finish one subject before the next. Their ratios vary 1.4 to 1.8 times as much: see docs/contributing.md.
 */
export async function measure(row: Row): Promise<Measured> {
  const subjects = await row.subjects();
  const { rounds = ROUNDS } = row;
  const samples = subjects.map((): number[] => []);
  for (let round = 0; round <= rounds; round++) {
    for (const [index, subject] of subjects.entries()) {
      const sample = await subject.sample(round === 0);
      if (round > 0) samples[index]?.push(sample);
    }
  }
  return {
    name: row.name,
    unit: row.unit,
    runtime: `node ${process.versions.node}`,
    budgets: row.budgets,
    subjects: subjects.map(({ name }, index) => ({ name, samples: samples[index] ?? [] })),
  };
}

/** Makes a subject that is timed, in ns for one piece of work. */
export function timed({ name, batch, run, prepare, ready, runs = 5, check, isAsync = false }: Work): Subject {
  const isPrepared = prepare !== undefined;
  const hooks = {
    async: isAsync,
    ...(isPrepared && {
      beforeEach: () => {
        collect();
        prepare();
        return ready?.();
      },
    }),
    ...(check !== undefined && { afterEach: check }),
  };
  return {
    name,
    sample: async (isFirst) => {
      const bench = new Bench({
        time: isPrepared ? 0 : SAMPLE_MS,
        iterations: isPrepared && isFirst ? runs * WARMUP : runs,
        warmup: false,
        throws: true,
      });
      const [task] = await bench.add(name, run, hooks).run();
      const result = task?.result;
      if (result?.state !== 'completed') throw new Error(`${name} was not measured: ${result?.state}`);
      return (result.latency.p50 * 1e6) / batch;
    },
  };
}

/** Makes a subject whose objects are weighed, in bytes of heap for each object, without the slot that stores it. */
export function weighed(name: string, count: number, make: (index: number) => object): Subject {
  return {
    name,
    sample: () => {
      const kept: object[] = new Array(count).fill(placeholder);
      collect();
      const before = process.memoryUsage().heapUsed;
      for (let i = 0; i < count; i++) kept[i] = make(i);
      collect();
      const after = process.memoryUsage().heapUsed;
      expectCount(kept.filter((object) => object === placeholder).length, 0);
      return (after - before) / count;
    },
  };
}
/** Fills an array before the weighed objects are stored in it. */
const placeholder = {};

/** Throws unless the work has the expected result. */
export function expectCount(found: number, wanted: number): void {
  if (found !== wanted) throw new Error(`the work was not done: ${found} instead of ${wanted}`);
}

/**
 * Keeps one object of each kind that a benchmark makes for the life of the process. V8 discards the optimised code of functions
 * that work on a kind of object when a collection finds none left. In a program that uses such objects, that never happens.
 */
export function survive(...objects: unknown[]): void {
  survivors.push(...objects);
}
const survivors: unknown[] = [];

/** Collects garbage, so that no subject pays for the garbage of another one. */
export function collect(): void {
  if (globalThis.gc === undefined) throw new Error('benchmarks need node --expose-gc');
  globalThis.gc();
}
