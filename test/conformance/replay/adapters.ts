import { cancellationToken } from './cancellation-token.ts';
import type { Adapter } from './replay.ts';
import { taskTracker } from './task-tracker.ts';

/** The suites that are replayed. A further one is a further file here. */
export const adapters: readonly Adapter[] = [cancellationToken, taskTracker];

/** The suites that are recorded and not replayed yet, each with what is missing. */
export const notYet: Readonly<Record<string, string>> = {
  broadcast: 'no adapter yet',
  select: 'no adapter yet',
};
