import { isPromise, show } from '@quiesce/internal';

/** Where texts go: `console`, a pino logger, or whatever has these three methods. */
export interface Logger {
  /** What goes on as it should. */
  info(text: string): unknown;
  /** What takes longer than it should, or was given up. */
  warn(text: string): unknown;
  /** What failed. */
  error(text: string): unknown;
}

/** Refuses what lacks a method. */
export function checkLogger(logger: Logger): Logger {
  for (const level of ['info', 'warn', 'error'] as const) {
    if (typeof logger?.[level] === 'function') continue;
    throw new TypeError(`logger: expected { info, warn, error }, got ${show(logger)} without ${level}()`);
  }
  return logger;
}

/**
 * A logger that cannot disturb a shutdown: what it throws, or rejects with, is dropped, as there is nowhere left to say it. A
 * rejection that nobody handled would be logged, and rejected again, without end.
 */
export function tolerant(logger: Logger | undefined): Logger {
  const call = (level: keyof Logger) => (text: string) => {
    try {
      const result: unknown = logger?.[level](text);
      if (isPromise(result)) result.catch(() => {});
    } catch {}
  };
  return { info: call('info'), warn: call('warn'), error: call('error') };
}
