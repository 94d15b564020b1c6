import { show } from './errors.ts';

/** Where an overlapping event starts inside the step of another one. */
export type Where =
  /** Just before the callback of the other event. */
  | '<'
  /** Right after the callback: `0`. After rounds of microtasks: `m3`. After a round of `nextTick`: `t1`. */
  | `${number}`
  | `m${number}`
  | `t${number}`;

/** A second event inside the step that a decision begins. */
interface Overlap {
  readonly choice: number;
  readonly where: Where;
}

/** The point of an event that overlaps the first step, in which the test is called. */
export const START = -1;

/** One choice that differs from the default order. */
export interface Decision {
  readonly point: number;
  readonly choice: number;
  readonly late: boolean;
  readonly overlap: Overlap | undefined;
}

/** The choices of a run that differ from the default order, and a check of the names that they choose. */
export interface Schedule {
  readonly decisions: readonly Decision[];
  readonly check: string | undefined;
}

const FORM = /^(?:-|(?<list>[^!]+))(?:!(?<check>[0-9a-f]{4}))?$/;
const DECISION =
  /^(?<point>-1|\d{1,9}):(?<choice>\d{1,9})(?<late>~?)(?:\+(?<other>\d{1,9})@(?<where><|0|m\d{1,5}|t\d{1,5}))?$/;

/** @throws TypeError when the text is no schedule string */
export function parseSchedule(what: string, text: string): Schedule {
  const form = FORM.exec(text.trim())?.groups;
  if (form === undefined) throw notSchedule(what, text);
  const decisions = (form['list'] ?? '')
    .split(',')
    .filter((part) => form['list'] !== undefined || part !== '')
    .map((part) => parseDecision(what, text, part));
  for (const [i, { point }] of decisions.entries()) {
    if (i > 0 && point <= (decisions[i - 1]?.point ?? 0)) throw notSchedule(what, text, ': its points must increase');
  }
  return { decisions, check: form['check'] };
}

function parseDecision(what: string, text: string, part: string): Decision {
  const found = DECISION.exec(part)?.groups;
  if (found === undefined) throw notSchedule(what, text);
  const { point, choice, late, other, where } = found;
  return {
    point: Number(point),
    choice: Number(choice),
    late: late === '~',
    overlap: other === undefined ? undefined : { choice: Number(other), where: where as Where },
  };
}

function notSchedule(what: string, text: string, why = ''): TypeError {
  return new TypeError(`${what} must be a schedule string such as '3:1,7:0~,9:2+4@m3', got ${show(text)}${why}`);
}

export function formatSchedule(decisions: readonly Decision[], names: readonly string[] = []): string {
  if (decisions.length === 0) return '-';
  const text = decisions.map(({ point, choice, late, overlap }) => {
    const other = overlap === undefined ? '' : `+${overlap.choice}@${overlap.where}`;
    return `${point}:${choice}${late ? '~' : ''}${other}`;
  });
  return `${text.join(',')}${names.length === 0 ? '' : `!${checkOf(names)}`}`;
}

/** Returns four hex digits that depend on every name: FNV-1a, folded. */
export function checkOf(names: readonly string[]): string {
  let hash = 0x811c9dc5;
  for (const name of names) {
    for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
    hash = Math.imul(hash ^ 0x1f, 0x01000193);
  }
  return ((hash ^ (hash >>> 16)) & 0xffff).toString(16).padStart(4, '0');
}
