import { channelReporter } from './channel.ts';
import type { Reporter, ShutdownReading } from './events.ts';
import type { ShutdownOptions } from './options.ts';
import { ProgressLine, progressTimer } from './progress.ts';
import type { ShutdownLog } from './shutdown-log.ts';
import type { ShutdownSequence } from './shutdown-sequence.ts';
import { systemdReporter } from './systemd.ts';
import { watchdogReporter } from './watchdog.ts';

/**
 * Returns the reporters that the options select, in the order in which they receive each event.
 *
 * @param measure called at each `progressInterval`
 */
export function makeReporters(
  { state: { clock, limits } }: ShutdownSequence,
  options: ShutdownOptions,
  log: ShutdownLog,
  measure: () => void,
): Reporter[] {
  const line = new ProgressLine(log);
  const tick = (read: ShutdownReading): void => {
    measure();
    line.show(read);
  };
  return [
    progressTimer(clock, options.progressInterval ?? 1_000, tick),
    ...(options.systemd === false ? [] : [systemdReporter(limits, log)]),
    ...(options.watchdog === true ? [watchdogReporter(limits, log)] : []),
    channelReporter,
    log.reporter,
    line.reporter,
  ];
}
