import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** One recorded operation: its inputs, and Tokio's answers. */
export interface Op {
  readonly op: string;
  readonly [field: string]: unknown;
}

/** A sequence of operations from an empty state. It follows from its seed. */
export interface Case {
  readonly id: string;
  readonly seed: number;
  readonly ops: readonly Op[];
}

/** The content of one file. */
export interface Recording {
  readonly suite: string;
  readonly schema: 1;
  /** The recorded library, with its version. */
  readonly oracle: string;
  readonly cases: readonly Case[];
}

const own: string = fileURLToPath(new URL('../tokio', import.meta.url));

/** The folder of the recordings: this folder, or TOKIO_TRACES. */
export const folder: string = process.env['TOKIO_TRACES'] || own;
/** Whether these are the recordings of this repository, whose operations are known. */
export const isOwn: boolean = folder === own;

/** Returns the suites of a folder, from the names of its files. */
export function suitesIn(directory: string): string[] {
  if (!existsSync(directory)) throw new Error(`there is no folder of recordings at ${directory} (TOKIO_TRACES)`);
  return readdirSync(directory)
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length))
    .sort();
}

/** Reads one suite. Throws for anything that could make a replay empty. */
export function readSuite(directory: string, suite: string): Recording {
  const path = join(directory, `${suite}.json`);
  if (!existsSync(path)) throw new Error(`the suite ${suite} is missing: there is no ${path}`);
  const recording = JSON.parse(readFileSync(path, 'utf8')) as Recording;
  if (recording.suite !== suite) throw new Error(`${path} holds the suite ${recording.suite}`);
  if (recording.schema !== 1) throw new Error(`${path} has the schema ${recording.schema}, not 1`);
  if (recording.cases.length === 0) throw new Error(`${path} holds no case`);
  const empty = recording.cases.find(({ ops }) => ops.length === 0);
  if (empty !== undefined) throw new Error(`${path}: the case ${empty.id} holds no operation`);
  return recording;
}
