import { checkKind, defineHandle } from '@quiesce/internal';
import { oneLine } from './describe-error.ts';
import type { Logger } from './logger.ts';

/** What texts are written to: `process.stderr`, or whatever has a `write`. */
export interface TextStream {
  /** As `process.stderr.write`. */
  write(text: string): unknown;
  /** Whether somebody looks at it: a line may then be written over. */
  readonly isTTY?: boolean | undefined;
  /** How many characters fit on a line of it. */
  readonly columns?: number | undefined;
}

/** Begins the line again, and wipes it. */
const WIPE = '\r\u001b[K';

/**
 * A logger for people, and what `runMain` uses: lines on a stream, and on a terminal one last line that is written over while something is waited for.
 *
 * **Timing.** Synchronous. What the stream throws is thrown; a shutdown takes no notice.
 *
 * @example
 * ```ts
 * const terminal = new Terminal({ isTTY: true, write: (text) => console.log(JSON.stringify(text)) });
 * terminal.progress('draining: 2 in flight'); // => "draining: 2 in flight"
 * terminal.info('stopped'); // => "\r\u001b[Kstopped\n"
 * ```
 */
export class Terminal implements Logger {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(Terminal, {
    name: 'terminal',
    owns: (value) => #line in value,
    facts: ({ isTTY }) => ({ isTTY }),
  });
  readonly #stream: TextStream;
  /** What stands on the line that is written over; empty: none does. */
  #line = '';

  /** @param stream where it writes, such as `process.stderr` */
  constructor(stream: TextStream) {
    checkKind(typeof stream?.write === 'function', 'new Terminal', 'a stream, such as process.stderr', stream);
    this.#stream = stream;
  }

  /** Whether the stream is a terminal. */
  get isTTY(): boolean {
    return this.#stream.isTTY === true;
  }

  /** Writes a line. */
  info(text: string): void {
    this.#write(`${text}\n`, '');
  }

  /** Writes a line. */
  warn(text: string): void {
    this.info(text);
  }

  /** Writes a line. */
  error(text: string): void {
    this.info(text);
  }

  /** Shows how it stands: on a terminal in place, on one line, otherwise as a line if it says something new. */
  progress(text: string): void {
    const line = this.#cut(oneLine(text));
    if (line === this.#line) return;
    this.#write(this.isTTY ? line : `${line}\n`, line);
  }

  /** What does not fit would stand on a second line, of which only the last one can be wiped. */
  #cut(text: string): string {
    const { columns } = this.#stream;
    if (!this.isTTY || columns === undefined || columns < 2 || text.length < columns) return text;
    return `${text.slice(0, columns - 2)}…`;
  }

  #write(text: string, line: string): void {
    const isOver = this.isTTY && this.#line !== '';
    this.#line = line;
    this.#stream.write(isOver ? WIPE + text : text);
  }
}
