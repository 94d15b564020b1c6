// Computes figures from samples, and formats them as a table.

import { markdownTable } from 'markdown-table';
import { type Bound, type Budget, isWithin, show } from './budget.ts';
import type { Measured } from './harness.ts';

/** One row of `--json FILE`. */
export interface Figure {
  readonly name: string;
  readonly subject: string;
  readonly runtime: string;
  /** The median of all samples of all processes. */
  readonly value: number;
  readonly unit: Measured['unit'];
  /** The median of the ratios of consecutive samples: ours to the subject's when the budget is `≤`, and the subject's to ours otherwise. */
  readonly ratio: number | null;
  /** The budget, or `null` for a row that is for information. */
  readonly budget: string | null;
  readonly met: boolean | null;
}

/** One line of the table. */
export interface Line extends Figure {
  readonly ours: { readonly name: string; readonly value: number };
  /** The rival is the subject itself: the line is about its figure alone. */
  readonly isOwn: boolean;
  readonly aim: Bound | undefined;
}

/** Merges the samples of a row from several processes. */
export function linesOf(runs: readonly Measured[]): Line[] {
  const [first] = runs;
  if (first === undefined) return [];
  const samples = new Map(
    first.subjects.map(({ name }, index) => [name, runs.flatMap((run) => run.subjects[index]?.samples ?? [])]),
  );
  const main = first.subjects[0]?.name ?? '';
  const line = ({ subject: our = main, against, must, aim }: Budget): Line => {
    const ours = samples.get(our) ?? [];
    const theirs = samples.get(against ?? our) ?? [];
    const isBetter = (must ?? aim)?.kind !== 'most';
    const ratios = ours.map((value, index) => (isBetter ? (theirs[index] ?? 0) / value : value / (theirs[index] ?? 0)));
    const ratio = against === undefined ? null : median(ratios);
    return {
      name: first.name,
      subject: against ?? our,
      runtime: first.runtime,
      value: median(theirs),
      unit: first.unit,
      ratio,
      budget: must === undefined ? null : show(must),
      met: must === undefined ? null : isWithin(ratio ?? median(ours), must),
      ours: { name: our, value: median(ours) },
      isOwn: against === undefined,
      aim,
    };
  };
  const named = new Set(first.budgets.flatMap(({ subject = main, against = subject }) => [subject, against]));
  const others = first.subjects.filter(({ name }) => name !== main && !named.has(name));
  return [...first.budgets, ...others.map(({ name }): Budget => ({ against: name }))].map(line);
}

/** Returns the rows of `--json`: the figure of Quiesce first, unless a line is about it alone. */
export function figuresOf(lines: readonly Line[]): Figure[] {
  const own = new Set(lines.filter(({ isOwn }) => isOwn).map(({ subject }) => subject));
  const seen = new Set<string>();
  return lines.flatMap((line) => {
    const { ours, isOwn: _, aim: __, ...figure } = line;
    if (own.has(ours.name) || seen.has(ours.name)) return [figure];
    seen.add(ours.name);
    const alone = { subject: ours.name, value: ours.value, ratio: null, budget: null, met: null };
    return [{ ...figure, ...alone }, figure];
  });
}

/** Formats a Markdown table that is also readable in a terminal. */
export function tableOf(lines: readonly Line[]): string {
  const rows = lines.map((line, index) => {
    const { name, subject, ours, isOwn, value, unit, ratio, budget, met, aim } = line;
    const isBetter = (budget ?? (aim && show(aim)) ?? '≥').startsWith('≥');
    return [
      lines[index - 1]?.name === name ? '' : name,
      `${round(ours.value)} ${unit}${ours.name === 'quiesce' ? '' : ` (${ours.name})`}`,
      isOwn ? '' : subject,
      isOwn ? '' : `${round(value)} ${unit}`,
      // A ratio to zero has no meaning.
      ratio === null || !Number.isFinite(ratio) ? '' : `${round(ratio)}${isBetter ? ' better' : ''}`,
      budget ?? '',
      aim === undefined ? '' : show(aim),
      verdict(met, aim !== undefined && isWithin(ratio ?? ours.value, aim)),
    ];
  });
  return markdownTable([['work', 'ours', 'against', 'its figure', 'ratio', 'must', 'aim', 'met'], ...rows]);
}

function verdict(met: boolean | null, isAimMet: boolean): string {
  if (met === false) return 'NO';
  if (isAimMet) return met === null ? 'aim' : 'yes, aim';
  return met === null ? '' : 'yes';
}

function round(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return value.toLocaleString('en', { maximumFractionDigits: digits });
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}
