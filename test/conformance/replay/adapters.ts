import { broadcastChannel } from './broadcast.ts';
import { cancellationToken } from './cancellation-token.ts';
import type { Adapter } from './replay.ts';
import { selectAdapter } from './select.ts';
import { taskTracker } from './task-tracker.ts';

/** The suites that are replayed. Another suite is another file here. */
export const adapters: readonly Adapter[] = [broadcastChannel, cancellationToken, selectAdapter, taskTracker];

/** The suites that are recorded and not replayed yet, each with the missing part. */
export const notYet: Readonly<Record<string, string>> = {};
