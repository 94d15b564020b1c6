import { checkKind, defineHandle } from '@quiesce/internal';
import { oneLine } from './describe-error.ts';

/** A stream for texts: `process.stderr`, or any object with `write`. */
export interface TextStream {
  /** Writes a text, as `process.stderr.write` does. */
  write(text: string): unknown;
  /** Whether it is a terminal, on which a line can be replaced. */
  readonly isTTY?: boolean | undefined;
  /** How many characters fit on a line. */
  readonly columns?: number | undefined;
}

/** Moves to the start of the line, and clears it. */
const CLEAR_LINE = '\r\u001b[K';

/**
 * Logs lines to a stream. On a terminal, the last line shows the progress and is replaced in place. It is the default logger of
 * `runMain`. Use it for people; use pino or another logger with fields for machines.
 *
 * **Timing.** Synchronous. Errors of the stream are thrown. A shutdown ignores them.
 *
 * @example
 * ```ts
 * const terminal = new Terminal({ isTTY: true, write: (text) => console.log(JSON.stringify(text)) });
 * terminal.progress('draining: 2 in flight'); // => "draining: 2 in flight"
 * terminal.info('stopped'); // => "\r\u001b[Kstopped\n"
 * ```
 */
export class Terminal {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(Terminal, {
    name: 'terminal',
    owns: (value) => #line in value,
    facts: ({ isTTY }) => ({ isTTY }),
  });
  readonly #stream: TextStream;
  /** The text of the progress line. Empty when there is none. */
  #line = '';

  /**
   * Creates a logger on a stream.
   *
   * @param stream such as `process.stderr`
   * @throws TypeError when `stream` has no `write`
   */
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

  /** Shows the progress: on a terminal in place on one line, otherwise as a new line when the text has changed. */
  progress(text: string): void {
    const line = this.#truncate(oneLine(text));
    if (line === this.#line) return;
    this.#write(this.isTTY ? line : `${line}\n`, line);
  }

  /** Shortens a text to one line: a longer text would wrap, and only its last line could be cleared. */
  #truncate(text: string): string {
    const { columns } = this.#stream;
    if (!this.isTTY || columns === undefined || columns < 2 || text.length < columns) return text;
    return `${text.slice(0, columns - 2)}…`;
  }

  #write(text: string, line: string): void {
    const isReplaced = this.isTTY && this.#line !== '';
    this.#line = line;
    this.#stream.write(isReplaced ? CLEAR_LINE + text : text);
  }
}
