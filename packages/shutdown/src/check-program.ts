import { checkGracePeriod } from './check-grace-period.ts';
import { checkSignals } from './check-signals.ts';
import { host } from './host.ts';
import { limitNames } from './options.ts';
import type { RunMainOptions } from './run-main.ts';

/** The warnings that `runMain` logs at the start: limits that do not fit each other, and signals that may not arrive. */
export function checkProgram(options: RunMainOptions): string[] {
  // The probe is not known here, and neither is the grace period outside of Kubernetes, where its default is likely.
  const isPod = host.env['KUBERNETES_SERVICE_HOST'] !== undefined;
  const pod = { periodSeconds: 0, terminationGracePeriodSeconds: isPod ? undefined : Number.POSITIVE_INFINITY };
  const limits = Object.entries(options).filter(([name]) => name === 'flushTimeout' || limitNames.includes(name));
  return [...checkGracePeriod({ ...Object.fromEntries(limits), ...pod }), ...checkSignals(), ...checkListeners()];
}

function checkListeners(): string[] {
  return ['SIGTERM', 'SIGINT'].flatMap((signal) => {
    const count = host.listenerCount(signal);
    if (count === 0) return [];
    const what = count === 1 ? 'a listener' : `${count} listeners`;
    return `the process has ${what} for ${signal} already: one that calls process.exit ends the program before it has drained`;
  });
}
