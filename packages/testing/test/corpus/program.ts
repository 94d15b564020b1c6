import type { CancelEverywhereOptions, ExploreReport, World } from '@quiesce/testing';
import { cancelEverywhere, explore } from '@quiesce/testing';

/** A small program with a known bug, and the same program without it. */
export interface Program {
  readonly name: string;
  /** How the bug shows. */
  readonly kind: string;
  readonly test: (isFixed: boolean) => (world: World, signal: AbortSignal) => unknown;
  /** Whether the test runs under `cancelEverywhere`. */
  readonly cancels?: boolean;
}

export function runProgram(
  program: Program,
  isFixed: boolean,
  options: CancelEverywhereOptions = {},
): Promise<ExploreReport> {
  const test = program.test(isFixed);
  if (program.cancels === true) return cancelEverywhere(test, options);
  return explore((world) => test(world, new AbortController().signal), options);
}

export function check(condition: boolean, text: string): void {
  if (!condition) throw new Error(text);
}
