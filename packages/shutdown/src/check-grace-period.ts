import { checkNumber, checkOptions } from '@quiesce/internal';
import { formatMs } from './describe.ts';
import { limitNames, limitsOf, type ShutdownLimits } from './options.ts';

/** The numbers of a pod, and the limits of its shutdown. */
export interface GracePeriodOptions extends ShutdownLimits {
  /** The grace period of the pod, in seconds. It begins with `preStop`. Default: 30. */
  readonly terminationGracePeriodSeconds?: number | undefined;
  /** How long the `preStop` hook takes, in seconds. SIGTERM is sent after it. Default: 0. */
  readonly preStopSeconds?: number | undefined;
  /** The `periodSeconds` of the readiness probe. Default: 10. */
  readonly periodSeconds?: number | undefined;
  /** The `failureThreshold` of the readiness probe. Default: 3. */
  readonly failureThreshold?: number | undefined;
  /** The `flushTimeout` of `runMain`, in ms. Default: 1,000. */
  readonly flushTimeout?: number | undefined;
}

const podOptions = ['terminationGracePeriodSeconds', 'preStopSeconds', 'periodSeconds', 'failureThreshold'] as const;

/**
 * Compares the time limits of a shutdown with those of its pod, and with each other.
 *
 * Use it in a test of your deployment. `runMain` makes the same checks at its start, as far as it knows the numbers.
 *
 * **Timing.** Synchronous and pure.
 *
 * @param options the numbers of the pod in seconds; the limits of the shutdown in ms, with the defaults of `new Shutdown`
 * @returns one sentence for each conflict. Empty when all limits fit
 * @throws TypeError when an option is unknown or not a number; RangeError when it is negative or NaN
 * @see Kubernetes, "Pod Lifecycle: Termination of Pods"
 * @example
 * ```ts
 * const warnings = checkGracePeriod({ terminationGracePeriodSeconds: 20, preStopSeconds: 5, readinessDelay: 30_000 });
 * console.log(warnings.length); // => 2
 * ```
 */
export function checkGracePeriod(options: GracePeriodOptions = {}): string[] {
  checkOptions('checkGracePeriod', options, [...limitNames, ...podOptions, 'flushTimeout']);
  const limits = limitsOf('checkGracePeriod', options);
  const grace = 1_000 * checkAmount('terminationGracePeriodSeconds', options.terminationGracePeriodSeconds, 30);
  const preStop = 1_000 * checkAmount('preStopSeconds', options.preStopSeconds, 0);
  const period = 1_000 * checkAmount('periodSeconds', options.periodSeconds, 10);
  const threshold = checkAmount('failureThreshold', options.failureThreshold, 3);
  const { flushTimeout: flush = 1_000 } = options;
  const { readinessDelay, drainTimeout, cancelTimeout, timeout, forceTimeout, finalTimeout } = limits;
  const longest = preStop + timeout + forceTimeout + finalTimeout + flush;
  const drained = readinessDelay + drainTimeout + cancelTimeout;
  const warnings: string[] = [];
  if (longest > grace) {
    warnings.push(
      `preStop, timeout, forceTimeout, finalTimeout and flushTimeout may take ${formatMs(longest)}, and the pod is killed ` +
        `after ${formatMs(grace)}: raise terminationGracePeriodSeconds to ${Math.ceil(longest / 1_000)}, or lower timeout`,
    );
  }
  if (drained >= timeout) {
    warnings.push(
      `readinessDelay, drainTimeout and cancelTimeout may take ${formatMs(drained)} of the total timeout of ` +
        `${formatMs(timeout)}: nothing is left for the hooks`,
    );
  }
  // Without a delay the program relies on the endpoints, which Kubernetes updates on deletion without a probe.
  if (readinessDelay > 0 && preStop + readinessDelay < period * threshold) {
    warnings.push(
      `readiness is false for ${formatMs(preStop + readinessDelay)} before accepting stops, and the probe needs ` +
        `${formatMs(period * threshold)} to notice: raise readinessDelay, or lower periodSeconds or failureThreshold`,
    );
  }
  return warnings;
}

/** Checks a number that is not in milliseconds. Its name has the unit. */
function checkAmount(name: string, given: number | undefined, preset: number): number {
  const value = given === undefined ? preset : given;
  const isRight = typeof value === 'number' && value >= 0;
  checkNumber(isRight, `checkGracePeriod: ${name}`, 'a number from 0 to Infinity', value);
  return value;
}
