import { broadcastChannel } from './broadcast.ts';
import { cancellationToken } from './cancellation-token.ts';
import type { Adapter } from './replay.ts';

/** The suites that are replayed. A further one is a further file here. */
export const adapters: readonly Adapter[] = [broadcastChannel, cancellationToken];

/** The suites that are recorded and not replayed yet, each with what is missing. */
export const notYet: Readonly<Record<string, string>> = {
  select: 'no adapter yet',
  'task-tracker': 'needs TaskTracker',
};
