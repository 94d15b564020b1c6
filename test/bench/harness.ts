// What a benchmark is made of, and how one sample of it is taken. It runs inside of the measured process.

import { Bench } from 'tinybench';
import type { Budget } from './budget.ts';

/** One way of doing the work of a row. */
export interface Subject {
  readonly name: string;
  /** Takes one sample, in the row's unit; the first one, which is thrown away, gives the optimiser time. */
  sample(isFirst: boolean): number | Promise<number>;
}

/** One piece of work, done by us and by others, measured in one process in turns. */
export interface Row {
  readonly name: string;
  readonly unit: 'ns' | 'B' | 'listeners';
  /** The first one is ours. Called in the process that measures this row, so that it holds nothing of other rows. */
  readonly subjects: () => readonly Subject[] | Promise<readonly Subject[]>;
  readonly budgets: readonly Budget[];
  /** How many samples are taken of each subject, in turns, in each process. */
  readonly rounds?: number;
}

/** What a process found out about a row. */
export interface Measured {
  readonly name: string;
  readonly unit: Row['unit'];
  readonly runtime: string;
  readonly budgets: readonly Budget[];
  /** The samples of each subject; those at one index were taken one right after the other. */
  readonly subjects: readonly { readonly name: string; readonly samples: readonly number[] }[];
}

/** Work that is timed. */
export interface Work {
  readonly name: string;
  /** How often `run` does the work: figures are for one time. */
  readonly batch: number;
  /** Does the work. */
  readonly run: () => void | Promise<void>;
  /** Makes what `run` consumes, before each run, untimed. */
  readonly prepare?: () => void;
  /** Fulfils when what was prepared has come to stand; untimed. */
  readonly ready?: () => Promise<void>;
  /** How many runs make one sample of work that is prepared; default: 5. */
  readonly runs?: number;
  /** Throws unless the run has really done its work; untimed. */
  readonly check?: () => void;
  /** `run` returns a promise. */
  readonly isAsync?: boolean;
}

/** Rivals take turns, so that what disturbs the machine disturbs them all. One more round, the first, only warms up. */
const ROUNDS = 5;
/** How long one sample of work that needs no preparation takes. */
const SAMPLE_MS = 40;
/** Prepared work runs so many times as often in the first round. */
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

/** A subject that is timed, in ns for one piece of work. */
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

/** A subject whose objects are weighed, in bytes of heap for one of them; the place where it is stored is not counted. */
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
/** Fills an array before what is to be weighed comes. */
const placeholder = {};

/** Throws unless what was done is what should have been done. */
export function expectCount(found: number, wanted: number): void {
  if (found !== wanted) throw new Error(`the work was not done: ${found} instead of ${wanted}`);
}

/**
 * Keeps one object of each kind that a benchmark makes for as long as the process lives. V8 throws away the optimised code of
 * functions that work on a kind of object of which a collection finds none left, which never happens in a program that uses it.
 */
export function survive(...objects: unknown[]): void {
  survivors.push(...objects);
}
const survivors: unknown[] = [];

/** Collects garbage, so that nobody pays for what a rival has left behind. */
export function collect(): void {
  if (globalThis.gc === undefined) throw new Error('benchmarks need node --expose-gc');
  globalThis.gc();
}
