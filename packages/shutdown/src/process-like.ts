import { checkKind } from '@quiesce/internal';
import { host } from './host.ts';
import type { TextStream } from './terminal.ts';

/** A stream for output: `process.stdout`, or one of a fake process. */
export interface OutputStream extends TextStream {
  /** Writes a text, and calls a function when it has been written. */
  write(text: string, done?: () => void): unknown;
  /** How many bytes wait to be written. */
  readonly writableLength: number;
  /** Whether it was closed. */
  readonly destroyed: boolean;
  /** Adds a listener. */
  on(event: 'error', listener: (error: unknown) => void): unknown;
  /** Removes a listener. */
  off(event: 'error', listener: (error: unknown) => void): unknown;
}

/**
 * The parts of `process` that `runMain` and `install` use. The global `process` has them. In tests, pass a `FakeProcess` of
 * `@quiesce/testing`.
 */
export interface ProcessLike {
  /** The process ID. */
  readonly pid: number;
  /** The system, such as `linux`. */
  readonly platform: string;
  /** Whether it has an IPC channel to its parent. */
  readonly connected?: boolean | undefined;
  /** The code with which it exits. */
  exitCode?: number | string | null | undefined;
  /** Its output. */
  readonly stdout: OutputStream;
  /** Its output for errors and logs. */
  readonly stderr: OutputStream;
  /** Adds a listener for a signal or another event. */
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  /** Removes a listener. */
  off(event: string, listener: (...args: unknown[]) => void): unknown;
  /** Counts the listeners for an event. */
  listenerCount(event: string): number;
  /** Sends a signal. */
  kill(pid: number, signal?: string | number): unknown;
  /** Ends the process. */
  exit(code?: number): unknown;
}

/** @throws TypeError when a value is no process */
export function checkProcess(what: string, value: Partial<ProcessLike> | null): void {
  checkKind(typeof value?.listenerCount === 'function', what, 'a process, such as a FakeProcess', value);
}

/** Returns the given process, or this one. */
export function processOf(options: { readonly process?: ProcessLike | undefined }): ProcessLike {
  return options.process ?? (host as ProcessLike);
}
