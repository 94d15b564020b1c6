import type { Decision, Where } from './schedule.ts';

/** How many runs a shrinking may take. */
const MOST_RUNS = 300;

/**
 * Returns fewer or simpler decisions that fail in the same way: drops decisions, late marks, overlaps, then rounds.
 *
 * @param fails runs a candidate, and returns the decisions of a run that fails in the same way
 */
export async function shrink(
  decisions: readonly Decision[],
  fails: (candidate: readonly Decision[]) => Promise<readonly Decision[] | undefined>,
): Promise<readonly Decision[]> {
  let best = decisions;
  let runs = 0;
  for (let isSmaller = true; isSmaller; ) {
    isSmaller = false;
    for (const candidate of candidates(best)) {
      if (runs++ >= MOST_RUNS) return best;
      const found = await fails(candidate);
      if (found === undefined || weight(found) >= weight(best)) continue;
      best = found;
      isSmaller = true;
      break;
    }
  }
  return best;
}

/** Simpler lists, the simplest first. */
function* candidates(decisions: readonly Decision[]): Generator<Decision[]> {
  for (let i = decisions.length - 1; i >= 0; i--) yield decisions.filter((_, at) => at !== i);
  for (const [i, decision] of decisions.entries()) {
    for (const simpler of simplerThan(decision)) yield decisions.map((other, at) => (at === i ? simpler : other));
  }
}

function* simplerThan(decision: Decision): Generator<Decision> {
  const { choice, late, overlap } = decision;
  if (late) yield { ...decision, late: false };
  if (overlap === undefined) return;
  if (choice !== 0 || late) yield { ...decision, overlap: undefined };
  for (const where of earlier(overlap.where)) yield { ...decision, overlap: { choice: overlap.choice, where } };
}

/** Positions that are easier to understand: right after the event, then fewer rounds. */
function earlier(where: Where): Where[] {
  if (where === '0' || where === '<') return [];
  const rounds = where.startsWith('m') ? Number(where.slice(1)) : 1;
  const found: Where[] = ['0'];
  if (rounds > 1) found.push(`m${Math.floor(rounds / 2)}`, `m${rounds - 1}`);
  return found;
}

function weight(decisions: readonly Decision[]): number {
  let sum = 0;
  for (const { choice, late, overlap } of decisions) {
    sum += 10_000 + (choice === 0 ? 0 : 100) + (late ? 2_000 : 0);
    if (overlap === undefined) continue;
    sum += 3_000 + (overlap.where === '0' || overlap.where === '<' ? 0 : 1_000 + Number(overlap.where.slice(1)));
  }
  return sum;
}
