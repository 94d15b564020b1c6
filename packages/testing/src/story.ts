import { propertyOf } from './errors.ts';
import { placeHere, placeOf } from './place.ts';
import type { VirtualTimer } from './timers.ts';

/** More lines than this are cut in the middle. */
const LONGEST = 60;
const MARK = '◂';

interface StoryLine {
  readonly text: string;
  readonly deviates: boolean;
  readonly notes: string[];
}

/** Describes a run in readable lines. */
export class Story {
  readonly #lines: StoryLine[] = [];
  /** The possibilities at each point. */
  readonly possibilities: string[] = [];
  /** Names that started in this step, and timers that were set. */
  #started: string[] = [];
  #timers: VirtualTimer[] = [];

  /** The place in the test that calls the world. */
  place(): string {
    return placeHere();
  }

  /** Begins a step, or an event that overlaps it. */
  event(text: string, deviates = false, note = ''): void {
    this.endStep();
    this.#lines.push({ text, deviates, notes: note === '' ? [] : [note] });
  }

  /** A line of the test. */
  log(text: string): void {
    this.endStep();
    this.#lines.push({ text: `  ${text}`, deviates: false, notes: [] });
  }

  note(text: string): void {
    this.#lines.at(-1)?.notes.push(text);
  }

  rejected(reason: unknown): void {
    const place = placeOf(propertyOf(reason, 'stack'));
    this.note(`the test rejects${place === '' ? '' : ` (${place})`}`);
  }

  started(label: string): void {
    this.#started.push(label);
  }

  timerSet(timer: VirtualTimer): void {
    this.#timers.push(timer);
  }

  /** A timer that was set in the same step leaves no trace. */
  timerCleared(timer: VirtualTimer): void {
    const at = this.#timers.indexOf(timer);
    if (at >= 0) this.#timers.splice(at, 1);
  }

  /** Adds what the step started to its line. */
  endStep(): void {
    const notes = this.#lines.at(-1)?.notes;
    if (this.#started.length > 0)
      notes?.unshift(`${joined(this.#started)} start${this.#started.length === 1 ? 's' : ''}`);
    for (const timer of this.#timers)
      notes?.push(`${timer.repeats ? 'an interval' : 'a timer'} of ${timer.ms} ms is set`);
    this.#started = [];
    this.#timers = [];
  }

  /** The names of the latest events, for a run without an end. */
  latest(count: number): string[] {
    return this.#lines.slice(-count).map(({ text }) => text);
  }

  /** Returns the story as it is printed. */
  lines(): string[] {
    this.endStep();
    const shown = this.#lines.filter(
      ({ text, deviates, notes }) => deviates || notes.length > 0 || !text.endsWith(' is handled'),
    );
    const width = Math.min(60, Math.max(0, ...shown.map(({ text }) => text.length)));
    const lines = shown.map(({ text, deviates, notes }, i) => {
      const number = String(i + 1).padStart(4);
      return `${number}. ${text.padEnd(width)}    ${deviates ? MARK : ' '}    ${notes.join('; ')}`.trimEnd();
    });
    if (lines.length <= LONGEST) return lines;
    const half = LONGEST / 2;
    return [...lines.slice(0, half), `      ... ${lines.length - LONGEST} more ...`, ...lines.slice(-half)];
  }
}

/** Joins names: a, b and c. */
export function joined(names: readonly string[]): string {
  if (names.length <= 1) return names.join('');
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
