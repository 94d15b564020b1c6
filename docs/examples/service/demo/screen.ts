import { styleText } from 'node:util';
import type { Stage } from './drive.ts';
import type { Finding } from './verdict.ts';

/** Where it is shown: `process.stdout`, or whatever has a `write`. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
}

type Style = Parameters<typeof styleText>[0];

const WIPE = '\r\u001b[K';
const BAR = 24;
const COLUMNS = '▁▂▃▄▅▆▇█';

/** Shows a run: lines with the time and who says it; on a terminal in colour, and the countdown in one line. */
export class Screen implements Stage {
  readonly #output: Output;
  readonly #start = performance.now();
  /** Whether the last line is a countdown, which the next text of a terminal replaces. */
  #isCounting = false;
  /** What the countdown has shown so far. */
  readonly #counts: number[] = [];
  /** What a log was told last: it gets a line for each tenth. */
  #told = Number.POSITIVE_INFINITY;

  constructor(output: Output) {
    this.#output = output;
  }

  title(text: string): void {
    this.#line(`\n  ${text}\n`);
  }

  say(who: 'demo' | 'service', text: string): void {
    const [, left, whom] = /^draining: (\d+) in flight(.*)$/.exec(text) ?? [];
    if (left !== undefined) this.#count(Number(left), whom ?? '');
    else this.#line(this.#stamped(who, who === 'demo' && text.startsWith('──') ? this.#paint('yellow', text) : text));
  }

  report(findings: readonly Finding[], verdict: Finding): void {
    this.#line('');
    for (const one of findings) this.#line(`  ${this.#mark(one)} ${one.label.padEnd(12)} ${one.text}`);
    const colour = verdict.isGood ? 'green' : 'red';
    this.#line(`  ${this.#mark(verdict)} ${verdict.label.padEnd(12)} ${this.#paint(['bold', colour], verdict.text)}\n`);
  }

  #count(left: number, whom: string): void {
    this.#counts.push(left);
    const most = Math.max(...this.#counts, 1);
    const full = Math.round((BAR * left) / most);
    const bar = this.#paint('cyan', '█'.repeat(full)) + this.#paint('dim', '░'.repeat(BAR - full));
    const text = this.#stamped('service', `draining ${bar} ${left.toLocaleString('en').padStart(6)} in flight${whom}`);
    if (this.#output.isTTY === true) {
      this.#output.write(WIPE + text);
      this.#isCounting = true;
    } else if (this.#told - left >= most / 10) {
      this.#told = left;
      this.#line(text);
    }
  }

  /** On a terminal the countdown is replaced by its course. */
  #line(text: string): void {
    this.#output.write(this.#isCounting ? `${WIPE}${this.#course()}\n${text}\n` : `${text}\n`);
    this.#isCounting = false;
  }

  /** The countdown from its beginning to its end, as a row of columns. */
  #course(): string {
    const counts = this.#counts;
    const most = Math.max(...counts, 1);
    const columns = Array.from({ length: Math.min(BAR, counts.length) }, (_, column) => {
      const left = counts[Math.floor((column * counts.length) / Math.min(BAR, counts.length))] ?? 0;
      return COLUMNS[Math.round(((COLUMNS.length - 1) * left) / most)] ?? '';
    });
    const numbers = `${most.toLocaleString('en')} → ${(counts.at(-1) ?? 0).toLocaleString('en')} in flight`;
    return this.#stamped('service', `draining ${this.#paint('cyan', columns.join('').padEnd(BAR))} ${numbers}`);
  }

  #stamped(who: string, text: string): string {
    const seconds = ((performance.now() - this.#start) / 1_000).toFixed(2);
    return `${this.#paint('dim', `${seconds.padStart(8)} s │`)} ${this.#paint(who === 'demo' ? 'bold' : 'dim', who.padEnd(7))} ${text}`;
  }

  #mark({ isGood }: Finding): string {
    return isGood ? this.#paint('green', '✓') : this.#paint('red', '✗');
  }

  #paint(style: Style, text: string): string {
    // Node would ask its own stdout whether to colour.
    return this.#output.isTTY === true ? styleText(style, text, { validateStream: false }) : text;
  }
}
