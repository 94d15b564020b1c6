import { printError } from './describe-error.ts';
import type { ShutdownEvent } from './events.ts';
import { formatReport } from './format-report.ts';
import type { GuardRegistry } from './guard.ts';
import type { InstallCallbacks } from './install.ts';
import { logDetailsOf } from './log-event.ts';
import type { ShutdownReport } from './report.ts';
import type { ShutdownLog } from './shutdown-log.ts';
import type { ShutdownSequence } from './shutdown-sequence.ts';

/** Returns the parts of a shutdown that an installation uses. */
export function installCallbacksOf(
  sequence: ShutdownSequence,
  guards: GuardRegistry,
  log: ShutdownLog,
  emit: (event: ShutdownEvent) => void,
  report: () => ShutdownReport,
): InstallCallbacks {
  const { state } = sequence;
  return {
    clock: state.clock,
    stopAccepting: state.stopAccepting,
    isRequested: () => state.request !== undefined,
    request: (request) => sequence.request(request),
    force: (signal) => sequence.force({ by: 'signal', signal }),
    recordError: (where, error) => state.recordError(where, error),
    recordLeak: (error) => guards.recordLeak(error),
    signalIgnored: (event) => {
      // After a second Ctrl-C, a developer must see why nothing happens.
      const details = logDetailsOf(event);
      if (details !== undefined) log.writeWithoutLogger(() => log.lineOf(details));
      emit(event);
    },
    printError: (error) => void log.writeWithoutLogger(() => printError(error)),
    printReport: () => {
      if (!log.writeWithoutLogger(() => formatReport(report()))) log.printReport(report(), 'info');
    },
  };
}
