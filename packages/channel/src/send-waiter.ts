import type { Waiter } from '@quiesce/cancellation-token';
import { settleWithBudget } from '@quiesce/cancellation-token/internal';
import { ignore } from '@quiesce/internal';
import type { ChannelState } from './channel-state.ts';
import { SendError } from './errors.ts';
import type { PermitQueue } from './permit-queue.ts';

type Resolve = (answer: undefined | PromiseLike<undefined>) => void;

let resolveNew: Resolve = ignore;
/**
 * The executor of a new promise stores its function here, so that no closure is made for each promise. Engines do not even
 * make the rejecting function when the executor does not name it.
 */
function captureResolve(resolve: Resolve): void {
  resolveNew = resolve;
}

/** A value that waits for room. It is in the queue for permits itself, and enters the channel when it gets one. */
class SendWaiter<T> implements Waiter {
  next: object | undefined = undefined;
  prev: object | undefined = undefined;
  owner: object | undefined = undefined;
  readonly channel: ChannelState<T>;
  readonly value: T;
  readonly resolve: Resolve = resolveNew;

  constructor(channel: ChannelState<T>, value: T) {
    this.channel = channel;
    this.value = value;
  }

  get wanted(): number {
    return 1;
  }

  wake(): void {
    const room = this.channel.room as PermitQueue;
    if (room.isClosed) {
      settleWithBudget(this.resolve, rejected(new SendError(this.value)));
      return;
    }
    room.free--;
    this.channel.push(this.value);
    settleWithBudget(this.resolve, undefined);
  }
}

/** Waits for room after all others. Fails at once when the receiver is closed. */
export function sendWhenRoom<T>(channel: ChannelState<T>, room: PermitQueue, value: T): Promise<void> {
  const result = new Promise<void>(captureResolve as never);
  const waiter = new SendWaiter(channel, value);
  // Otherwise it would retain the latest promise until the next send anywhere.
  resolveNew = ignore;
  room.enqueue(waiter);
  return result;
}

/** Returns a thenable that rejects a promise which is resolved with it, one microtask later. */
function rejected(error: unknown): PromiseLike<undefined> {
  // biome-ignore lint/suspicious/noThenProperty: promises call it
  return { then: (_, reject) => reject?.(error) as never };
}
