import { checkGracePeriod } from './check-grace-period.ts';
import { checkSignals } from './check-signals.ts';
import { host } from './host.ts';
import { limitNames } from './options.ts';
import type { ProcessLike } from './process-like.ts';

/** A warning of `runMain`, and the check that found it. */
export type CheckWarning = readonly [about: 'limits' | 'signals' | 'listeners', warning: string];

/**
 * Returns the warnings that `runMain` logs at its start: conflicting limits, and signals that may not arrive. Those of a fake process
 * always arrive.
 */
export function checkProgram(options: object, process: ProcessLike): CheckWarning[] {
  // The probe is unknown. In Kubernetes the grace period probably has its default; elsewhere it is unknown.
  const isPod = host.env['KUBERNETES_SERVICE_HOST'] !== undefined;
  const pod = { periodSeconds: 0, terminationGracePeriodSeconds: isPod ? undefined : Number.POSITIVE_INFINITY };
  const limits = Object.entries(options).filter(([name]) => name === 'flushTimeout' || limitNames.includes(name));
  const found: [CheckWarning[0], string[]][] = [
    ['limits', checkGracePeriod({ ...Object.fromEntries(limits), ...pod })],
    ['signals', process === host ? checkSignals() : []],
    ['listeners', checkListeners(process)],
  ];
  return found.flatMap(([about, warnings]) => warnings.map((warning): CheckWarning => [about, warning]));
}

const watched: readonly string[] = ['SIGTERM', 'SIGINT'];

function checkListeners(process: ProcessLike): string[] {
  return watched.flatMap((signal) => {
    const count = process.listenerCount(signal);
    if (count === 0) return [];
    const what = count === 1 ? 'a listener' : `${count} listeners`;
    return `the process has ${what} for ${signal} already: one that calls process.exit ends the program before it has drained`;
  });
}

/**
 * Warns once for each signal when `main`, or a library that it uses, adds a listener for it.
 *
 * @returns a function that stops watching
 */
export function watchListeners(process: ProcessLike, warn: (text: string) => void): () => void {
  const left = new Set(watched);
  const added = (signal: unknown): void => {
    if (!left.delete(signal as string)) return;
    const site = new Error().stack
      ?.split('\n')
      .slice(2)
      .find((line) => !line.includes('node:'));
    warn(
      `a listener for ${signal as string} was added${site?.replace(/^\s+at/, ' at') ?? ''}: ` +
        'one that calls process.exit ends the program before it has drained',
    );
  };
  process.on('newListener', added);
  return () => void process.off('newListener', added);
}
