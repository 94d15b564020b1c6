import type { CancellationToken } from '@quiesce/cancellation-token';
import { checkKind } from '@quiesce/internal';
import { type Drainable, drainable, type TaskTracker } from '@quiesce/scope';

/** The parts of a drain that closes connections. */
interface ConnectionDrainParts {
  readonly call: string;
  readonly name: string;
  /** Counts the open connections from `stop` on, or from their start on. */
  readonly tracker: TaskTracker;
  /** Cancelled by `abort` when connections are open. */
  readonly aborted: CancellationToken;
  readonly inFlightCount: () => number;
  /** Refuses new connections, and begins to close the open ones. The tracker is closed. */
  readonly stop: () => void;
  readonly destroyAll: () => void;
  /** Called when all connections are closed. */
  readonly ended?: () => void;
}

/** Returns a drain that closes connections by their protocol, and destroys those that are left at the deadline. */
export function connectionDrain(parts: ConnectionDrainParts): Drainable {
  const { call, name, tracker, aborted, inFlightCount, destroyAll } = parts;
  checkKind(name !== '', `${call}: name`, 'a name that is not empty', name);
  const made = drainable({
    name,
    inFlightCount,
    stop() {
      tracker.close();
      parts.stop();
    },
    async drain(token) {
      made.stop();
      const deadline = token.onCancelled((reason) => made.abort?.(reason));
      await tracker.wait();
      deadline.dispose();
      parts.ended?.();
      if (token.isCancelled && aborted.isCancelled) throw token.reason;
    },
    abort(reason) {
      made.stop();
      if (inFlightCount() > 0) aborted.cancel(reason);
      destroyAll();
    },
  });
  return made;
}
