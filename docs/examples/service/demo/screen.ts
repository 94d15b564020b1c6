import { styleText } from 'node:util';
import { formatLogEvent, type LogEvent } from 'quiesce/node';
import type { Stage } from './drive.ts';
import type { Finding } from './verdict.ts';

/** The destination: `process.stdout`, or another object with `write`. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
}

type Style = Parameters<typeof styleText>[0];

const WIPE = '\r\u001b[K';
const BAR = 24;
const COLUMNS = '▁▂▃▄▅▆▇█';

/** Shows a run as lines with the time and the source. On a terminal it uses colour, and one line for the countdown. */
export class Screen implements Stage {
  readonly #output: Output;
  readonly #start = performance.now();
  /** Whether the last line is a countdown, which the next text on a terminal replaces. */
  #isCounting = false;
  /** The values of the countdown so far. */
  readonly #counts: number[] = [];
  /** The last value in a log, which gets a line for each tenth. */
  #lastLogged = Number.POSITIVE_INFINITY;

  constructor(output: Output) {
    this.#output = output;
  }

  title(text: string): void {
    this.#line(`\n  ${text}\n`);
  }

  say(source: 'demo' | 'service', text: string): void {
    const isMark = source === 'demo' && text.startsWith('──');
    this.#line(this.#stamped(source, isMark ? this.#paint('yellow', text) : text));
  }

  log(event: LogEvent): void {
    if (event.event === 'progress' && event.state === 'draining') this.#count(event.inFlightCount, event.waitingFor);
    else for (const line of formatLogEvent(event).split('\n')) this.say('service', line.replace(/^service: /, ''));
  }

  report(findings: readonly Finding[], verdict: Finding): void {
    this.#line('');
    for (const one of findings) this.#line(`  ${this.#mark(one)} ${one.label.padEnd(12)} ${one.text}`);
    const colour = verdict.isGood ? 'green' : 'red';
    this.#line(`  ${this.#mark(verdict)} ${verdict.label.padEnd(12)} ${this.#paint(['bold', colour], verdict.text)}\n`);
  }

  #count(left: number, waitingFor: readonly string[]): void {
    this.#counts.push(left);
    const most = Math.max(...this.#counts, 1);
    const full = Math.round((BAR * left) / most);
    const bar = this.#paint('cyan', '█'.repeat(full)) + this.#paint('dim', '░'.repeat(BAR - full));
    const names = waitingFor.length === 0 ? '' : ` (${waitingFor.join(', ')})`;
    const what = `${left.toLocaleString('en').padStart(6)} in flight${names}`;
    const text = this.#stamped('service', `draining ${bar} ${what}`);
    if (this.#output.isTTY === true) {
      this.#output.write(WIPE + text);
      this.#isCounting = true;
    } else if (this.#lastLogged - left >= most / 10) {
      this.#lastLogged = left;
      this.#line(text);
    }
  }

  /** On a terminal, replaces the countdown by its history. */
  #line(text: string): void {
    this.#output.write(this.#isCounting ? `${WIPE}${this.#history()}\n${text}\n` : `${text}\n`);
    this.#isCounting = false;
  }

  /** Draws the values of the countdown as a row of columns. */
  #history(): string {
    const counts = this.#counts;
    const most = Math.max(...counts, 1);
    const columns = Array.from({ length: Math.min(BAR, counts.length) }, (_, column) => {
      const left = counts[Math.floor((column * counts.length) / Math.min(BAR, counts.length))] ?? 0;
      return COLUMNS[Math.round(((COLUMNS.length - 1) * left) / most)] ?? '';
    });
    const numbers = `${most.toLocaleString('en')} → ${(counts.at(-1) ?? 0).toLocaleString('en')} in flight`;
    return this.#stamped('service', `draining ${this.#paint('cyan', columns.join('').padEnd(BAR))} ${numbers}`);
  }

  #stamped(source: string, text: string): string {
    const seconds = ((performance.now() - this.#start) / 1_000).toFixed(2);
    return `${this.#paint('dim', `${seconds.padStart(8)} s │`)} ${this.#paint(source === 'demo' ? 'bold' : 'dim', source.padEnd(7))} ${text}`;
  }

  #mark({ isGood }: Finding): string {
    return isGood ? this.#paint('green', '✓') : this.#paint('red', '✗');
  }

  #paint(style: Style, text: string): string {
    // Without the option, Node would check its own stdout for colour support.
    return this.#output.isTTY === true ? styleText(style, text, { validateStream: false }) : text;
  }
}
