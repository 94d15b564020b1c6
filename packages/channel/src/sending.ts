import type { Waiter } from '@quiesce/cancellation-token';
import { ignore } from '@quiesce/internal';
import { SendError } from './errors.ts';
import type { Line } from './line.ts';
import type { Channel } from './mpsc.ts';
import { settle } from './settle.ts';

let resolveNew: () => void = ignore;
let rejectNew: (error: unknown) => void = ignore;
/** Where the executor of a new promise leaves its two functions, so that no closure is made for each. */
function captureSend(resolve: () => void, reject: (error: unknown) => void): void {
  resolveNew = resolve;
  rejectNew = reject;
}

/** A value that waits for room: it stands in the line itself, and enters the queue when its turn comes. */
class Sending<T> implements Waiter {
  next: object | undefined = undefined;
  prev: object | undefined = undefined;
  owner: object | undefined = undefined;
  readonly wanted = 1;
  readonly channel: Channel<T>;
  readonly room: Line;
  readonly value: T;
  readonly resolve: () => void = resolveNew;
  readonly reject: (error: unknown) => void = rejectNew;

  constructor(channel: Channel<T>, room: Line, value: T) {
    this.channel = channel;
    this.room = room;
    this.value = value;
  }

  wake(): void {
    if (this.room.isClosed) {
      settle(this.reject, new SendError(this.value));
      return;
    }
    this.room.free--;
    this.channel.push(this.value);
    settle(this.resolve, undefined);
  }
}

/** Waits for room behind all others; fails at once when the receiver is closed. */
export function sendLater<T>(channel: Channel<T>, room: Line, value: T): Promise<void> {
  const result = new Promise<void>(captureSend);
  const sending = new Sending(channel, room, value);
  // Or they would keep the latest promise until the next send anywhere.
  resolveNew = ignore;
  rejectNew = ignore;
  room.join(sending);
  return result;
}
