// The answers of real Tokio to random operations, replayed on the packages. TOKIO_TRACES names another folder
// of recordings.
import { afterAll, describe, expect, test } from 'vitest';
import { adapters, notYet } from './replay/adapters.ts';
import { folder, isOwn, type Op, type Recording, readSuite, suitesIn } from './replay/recordings.ts';
import { type Adapter, describeDifferences, describeOutcome, type Outcome, replay } from './replay/replay.ts';

const lines: string[] = [];
const known = [...adapters.map(({ suite }) => suite), ...Object.keys(notYet)].sort();

afterAll(() => {
  console.log(['Recorded behaviour of Tokio', ...lines].join('\n'));
});

test('every recorded suite is replayed, or listed as not replayed yet', () => {
  expect(suitesIn(folder)).toEqual(known);
});

describe.each(adapters)('$suite', (adapter) => {
  let recording: Recording;
  let outcome: Outcome;

  test('answers as Tokio did', async () => {
    recording = readSuite(folder, adapter.suite);
    outcome = await replay(recording, adapter);
    lines.push(describeOutcome(outcome, adapter));
    expect(outcome.differences.length, describeDifferences(outcome)).toBe(0);
  });

  // Other recordings need not contain every operation.
  test.runIf(isOwn)('leaves out nothing but what the recordings hold', () => {
    expect([...outcome.skipped.keys()].sort()).toEqual(Object.keys(adapter.notYet).sort());
    for (const [op, fields] of Object.entries(adapter.notCompared)) {
      for (const field of Object.keys(fields)) expect(occurs(recording, op, field), `${op}.${field}`).toBe(true);
    }
  });

  test('would detect any single different answer', async () => {
    const kinds = new Set<string>();
    for (const [at, { ops }] of recording.cases.entries()) {
      for (const [index, op] of ops.entries()) {
        for (const field of comparedFields(op, adapter)) {
          const answer = op[field];
          const kind = `${op.op}.${field}: ${answer === null ? 'null' : typeof answer}`;
          if (kinds.has(kind)) continue;
          kinds.add(kind);
          const tampered = tamper(recording, at, index, field);
          expect((await replay(tampered, adapter)).differences, kind).toMatchObject([{ index }]);
        }
      }
    }
    expect(kinds.size).toBeGreaterThan(0);
  });
});

describe.each(Object.entries(notYet))('%s', (suite, reason) => {
  test('is recorded, and needs an adapter', () => {
    const { cases } = readSuite(folder, suite);
    const operations = cases.reduce((sum, { ops }) => sum + ops.length, 0);
    lines.push(`${suite}: not yet replayed (${reason}): ${cases.length} cases, ${operations} operations`);
    expect(adapters.map((adapter) => adapter.suite)).not.toContain(suite);
  });
});

function occurs({ cases }: Recording, op: string, field: string): boolean {
  return cases.some(({ ops }) => ops.some((one) => (op === '*' || one.op === op) && Object.hasOwn(one, field)));
}

function comparedFields(op: Op, adapter: Adapter): string[] {
  const inputs = adapter.inputs[op.op];
  if (inputs === undefined) return [];
  const ignored = { ...adapter.notCompared['*'], ...adapter.notCompared[op.op] };
  return Object.keys(op).filter((field) => field !== 'op' && !inputs.includes(field) && !Object.hasOwn(ignored, field));
}

/** Returns the case with one changed answer. */
function tamper({ cases, ...rest }: Recording, at: number, index: number, field: string): Recording {
  const { ops, ...one } = cases[at] as Recording['cases'][number];
  const changed = ops.map((op, i) => (i === index ? { ...op, [field]: other(op[field]) } : op));
  return { ...rest, cases: [{ ...one, ops: changed }] };
}

/** Returns a value other than `answer`. */
function other(answer: unknown): unknown {
  if (typeof answer === 'boolean') return !answer;
  if (Array.isArray(answer)) return [...answer, -1];
  return 'something else';
}
