import type { Logger } from './logger.ts';

/** What texts are written to: `process.stderr`, or whatever has a `write`. */
export interface TextStream {
  write(text: string): unknown;
  /** Whether somebody looks at it: a line may then be written over. */
  readonly isTTY?: boolean | undefined;
}

/** Begins the line again, and wipes it. */
const WIPE = '\r\u001b[K';

/**
 * A logger for people: lines on a stream, and on a terminal one last line that is written over while something is waited for.
 */
export class Terminal implements Logger {
  readonly #stream: TextStream;
  /** What stands on the line that is written over; empty: none does. */
  #line = '';

  constructor(stream: TextStream) {
    this.#stream = stream;
  }

  get isTTY(): boolean {
    return this.#stream.isTTY === true;
  }

  info(text: string): void {
    this.#write(`${text}\n`, '');
  }

  warn(text: string): void {
    this.info(text);
  }

  error(text: string): void {
    this.info(text);
  }

  /** Shows how it stands: on a terminal in place, otherwise as a line if it says something new. */
  progress(text: string): void {
    if (text === this.#line) return;
    if (this.isTTY) this.#write(text, text);
    else this.#write(`${text}\n`, text);
  }

  #write(text: string, line: string): void {
    const isOver = this.isTTY && this.#line !== '';
    this.#line = line;
    this.#stream.write(isOver ? WIPE + text : text);
  }
}
