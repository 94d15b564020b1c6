import type { Waiter } from '@quiesce/cancellation-token';
import { ignore } from '@quiesce/internal';
import type { ChannelState } from './channel-state.ts';
import { SendError } from './errors.ts';
import type { PermitQueue } from './permit-queue.ts';
import { settle } from './settle.ts';

type Resolve = (answer: undefined | PromiseLike<undefined>) => void;

let resolveNew: Resolve = ignore;
/**
 * Where the executor of a new promise leaves its function, so that no closure is made for each. Engines do not even make the
 * one that rejects where it is not asked for.
 */
function captureResolve(resolve: Resolve): void {
  resolveNew = resolve;
}

/** A value that waits for room: it stands in the line itself, and enters the queue when its turn comes. */
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
      settle(this.resolve, rejected(new SendError(this.value)));
      return;
    }
    room.free--;
    this.channel.push(this.value);
    settle(this.resolve, undefined);
  }
}

/** Waits for room behind all others; fails at once when the receiver is closed. */
export function sendWhenRoom<T>(channel: ChannelState<T>, room: PermitQueue, value: T): Promise<void> {
  const result = new Promise<void>(captureResolve as never);
  const waiter = new SendWaiter(channel, value);
  // Or they would keep the latest promise until the next send anywhere.
  resolveNew = ignore;
  room.enqueue(waiter);
  return result;
}

/** What rejects a promise that is resolved with it, one microtask later. */
function rejected(error: unknown): PromiseLike<undefined> {
  // biome-ignore lint/suspicious/noThenProperty: it is what promises ask for
  return { then: (_, reject) => reject?.(error) as never };
}
