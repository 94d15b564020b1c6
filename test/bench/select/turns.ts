import { CancellationToken } from '@quiesce/cancellation-token';
import { expectCount, type Subject, timed } from '../harness.ts';

/** Rounds in one run. */
const BATCH = 200;
let done = 0;

/** Runs `turn` many times in sequence. `isWanted` checks each result. */
export function turning(
  name: string,
  turn: (index: number) => Promise<unknown>,
  isWanted: (value: unknown) => boolean,
): Subject {
  return timed({
    name,
    batch: BATCH,
    isAsync: true,
    run: async () => {
      for (let i = 0; i < BATCH; i++) if (isWanted(await turn(i))) done++;
    },
    check: () => {
      expectCount(done, BATCH);
      done = 0;
    },
  });
}

/** The same for synchronous work. */
export function acting(name: string, act: (index: number) => unknown, isWanted: (value: unknown) => boolean): Subject {
  return timed({
    name,
    batch: BATCH,
    run: () => {
      for (let i = 0; i < BATCH; i++) if (isWanted(act(i))) done++;
    },
    check: () => {
      expectCount(done, BATCH);
      done = 0;
    },
  });
}

/** A token that is never cancelled: a branch that loses. */
export const idle = (): CancellationToken => new CancellationToken();

/** A promise, and the function that settles it. */
export function fresh(): [promise: Promise<number>, resolve: (value: number) => void] {
  let settle: (value: number) => void = () => {};
  const promise = new Promise<number>((resolve) => {
    settle = resolve;
  });
  return [promise, settle];
}

export const isNumber = (value: unknown): boolean => typeof value === 'number';
export const isBranch =
  (name: string) =>
  (value: unknown): boolean =>
    (value as { branch?: unknown } | undefined)?.branch === name;

/** The rows with budgets. */
export const twoFresh = 'Promise.race of two fresh promises';
export function raceOfTwoFresh(index: number): Promise<number> {
  const [first, resolve] = fresh();
  const [second, other] = fresh();
  const result = Promise.race([first, second]);
  resolve(index);
  other(index);
  return result;
}
