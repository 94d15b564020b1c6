import { cancellationToken } from './cancellation-token.ts';
import type { Adapter } from './replay.ts';
import { selectAdapter } from './select.ts';

/** The suites that are replayed. A further one is a further file here. */
export const adapters: readonly Adapter[] = [cancellationToken, selectAdapter];

/** The suites that are recorded and not replayed yet, each with what is missing. */
export const notYet: Readonly<Record<string, string>> = {
  broadcast: 'no adapter yet',
  'task-tracker': 'needs TaskTracker',
};
