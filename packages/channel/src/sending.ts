import type { Waiter } from '@quiesce/cancellation-token';
import { ignore } from '@quiesce/internal';
import { SendError } from './errors.ts';
import type { Line } from './line.ts';
import type { Channel } from './mpsc.ts';
import { settle } from './settle.ts';

type Resolve = (answer: undefined | PromiseLike<undefined>) => void;

let resolveNew: Resolve = ignore;
/**
 * Where the executor of a new promise leaves its function, so that no closure is made for each. Engines do not even make the
 * one that rejects where it is not asked for.
 */
function captureSend(resolve: Resolve): void {
  resolveNew = resolve;
}

/** A value that waits for room: it stands in the line itself, and enters the queue when its turn comes. */
class Sending<T> implements Waiter {
  next: object | undefined = undefined;
  prev: object | undefined = undefined;
  owner: object | undefined = undefined;
  readonly channel: Channel<T>;
  readonly value: T;
  readonly resolve: Resolve = resolveNew;

  constructor(channel: Channel<T>, value: T) {
    this.channel = channel;
    this.value = value;
  }

  get wanted(): number {
    return 1;
  }

  wake(): void {
    const room = this.channel.room as Line;
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
export function sendLater<T>(channel: Channel<T>, room: Line, value: T): Promise<void> {
  const result = new Promise<void>(captureSend as never);
  const sending = new Sending(channel, value);
  // Or they would keep the latest promise until the next send anywhere.
  resolveNew = ignore;
  room.join(sending);
  return result;
}

/** What rejects a promise that is resolved with it, one microtask later. */
function rejected(error: unknown): PromiseLike<undefined> {
  // biome-ignore lint/suspicious/noThenProperty: it is what promises ask for
  return { then: (_, reject) => reject?.(error) as never };
}
