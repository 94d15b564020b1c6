import { realProcess } from './host.ts';
import type { Run } from './run.ts';

const NAMES = ['unhandledRejection', 'uncaughtException', 'uncaughtExceptionMonitor', 'rejectionHandled'] as const;

type Listener = (...args: unknown[]) => void;

/**
 * Turns unhandled rejections and uncaught exceptions into failures of the present run. The runner's listeners, which would fail
 * another test, are set aside until the returned function is called.
 */
export function watchProcess(getRun: () => Run | undefined): () => void {
  const events = realProcess;
  if (events?.rawListeners === undefined) return () => {};
  const aside = NAMES.map((name) => [name, events.rawListeners?.(name) ?? []] as const);
  for (const name of NAMES) events.removeAllListeners?.(name);
  const own: readonly (readonly [string, Listener])[] = [
    ['unhandledRejection', (reason) => getRun()?.fail('unhandled rejection', reason)],
    ['uncaughtException', (error) => getRun()?.fail('uncaught exception', error)],
    ['rejectionHandled', () => {}],
  ];
  for (const [name, listener] of own) events.on?.(name, listener);
  return () => {
    for (const [name, listener] of own) events.removeListener?.(name, listener);
    for (const [name, listeners] of aside) for (const listener of listeners) events.on?.(name, listener);
  };
}
