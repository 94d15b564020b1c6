// Random operations on `select`, `trySelect` and `selectEach` with patterns and `else`, compared with a model without promises,
// waiters or event loop: queues, and a rule for the next value.
import {
  ClosedError,
  PENDING,
  type Source,
  type SourceProtocol,
  source,
  type Waiter,
} from '@quiesce/cancellation-token';
import { match, select, selectEach, trySelect } from '@quiesce/select';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { turn } from './vocabulary.ts';

const QUEUES = 3;

/** A queue that can be closed. */
class Queue implements Source<number> {
  readonly values: number[] = [];
  isClosed = false;
  readonly waiters: Set<Waiter> = new Set();

  wake(): void {
    for (const waiter of [...this.waiters]) if (this.waiters.delete(waiter)) waiter.wake();
  }

  readonly [source]: SourceProtocol<number> = {
    poll: () => {
      const value = this.values.shift();
      if (value !== undefined) return value;
      if (this.isClosed) throw new ClosedError();
      return PENDING;
    },
    park: (waiter) => void this.waiters.add(waiter),
    unpark: (waiter) => void this.waiters.delete(waiter),
  };
}

const fits = (value: number): boolean => value % 3 !== 0;
type Answer = readonly [branch: string, value: unknown] | 'pending' | 'over';

/** The result of one round, as simply as possible. `gone` contains the queues that are known to be closed. */
function modelTurn(queues: number[][], closed: readonly boolean[], start: number, gone: Set<number>): Answer {
  const off = new Set(gone);
  for (let i = 0; i < QUEUES; i++) {
    const at = (start + i) % QUEUES;
    if (gone.has(at)) continue;
    const value = queues[at]?.shift();
    if (value !== undefined && fits(value)) return [`q${at}`, value];
    if (value === undefined && !closed[at]) continue;
    off.add(at);
    if (value === undefined) gone.add(at);
  }
  if (gone.size === QUEUES) return 'over';
  return off.size === QUEUES ? ['else', 'none'] : 'pending';
}

const plans = fc.record({
  queues: fc.array(fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 6 }), {
    minLength: QUEUES,
    maxLength: QUEUES,
  }),
  closed: fc.array(fc.boolean(), { minLength: QUEUES, maxLength: QUEUES }),
  starts: fc.array(fc.nat(QUEUES - 1), { minLength: 60, maxLength: 60 }),
});

function make(
  values: readonly (readonly number[])[],
  closed: readonly boolean[],
): [Queue[], Record<'q0', Source<number>>] {
  const queues = values.map((list, i) => {
    const queue = new Queue();
    queue.values.push(...list);
    queue.isClosed = closed[i] === true;
    return queue;
  });
  const branches = Object.fromEntries(queues.map((queue, i) => [`q${i}`, match(queue, fits)]));
  return [queues, { ...branches, else: () => 'none' } as never];
}

/** A random function that returns these starts, one after the other. */
function startsOf(starts: readonly number[]): { random: () => number; next: () => number } {
  let at = 0;
  const next = (): number => starts[at++ % starts.length] ?? 0;
  return { next, random: () => (next() + 0.5) / QUEUES };
}

test('trySelect, and a select with a ready branch, agree with the model', async () => {
  await fc.assert(
    fc.asyncProperty(plans, async ({ queues: values, closed, starts }) => {
      const model = values.map((list) => [...list]);
      const [queues, branches] = make(values, closed);
      const modelled = startsOf(starts);
      const { random } = startsOf(starts);
      for (let i = 0; i < 12; i++) {
        const expected = modelTurn(model, closed, modelled.next(), new Set());
        const outcome =
          i % 2 === 0 || expected === 'pending' ? trySelect(branches, { random }) : await select(branches, { random });
        expect('why' in outcome ? outcome.why : [outcome.branch, outcome.value]).toEqual(
          expected === 'over' ? ['else', 'none'] : expected,
        );
        expect(queues.map((queue) => queue.values)).toEqual(model);
      }
    }),
    { numRuns: 500 },
  );
});

test('selectEach agrees with the model in every round, until no branch is left', async () => {
  let ended = 0;
  await fc.assert(
    fc.asyncProperty(plans, async ({ queues: values, closed, starts }) => {
      const model = values.map((list) => [...list]);
      const gone = new Set<number>();
      const [queues, branches] = make(values, closed);
      const modelled = startsOf(starts);
      const loop = selectEach(branches, { random: startsOf(starts).random });
      for (;;) {
        const expected = modelTurn(model, closed, modelled.next(), gone);
        if (expected === 'pending') break;
        const { done, value } = await loop.next();
        expect(done).toBe(expected === 'over');
        expect(queues.map((queue) => queue.values)).toEqual(model);
        if (expected === 'over') {
          ended++;
          break;
        }
        expect([value?.branch, value?.value]).toEqual(expected);
      }
      await loop.return();
      await turn();
      expect(queues.map(({ waiters }) => waiters.size)).toEqual(Array(QUEUES).fill(0));
    }),
    { numRuns: 300 },
  );
  expect(ended).toBeGreaterThan(10);
});
