import { ClosedError, PENDING, type Takeable, type Waiter } from '@quiesce/cancellation-token';
import { Condition } from '@quiesce/cancellation-token/internal';
import { parkOn, unparkFrom, type WaiterItem, type WaiterList } from '@quiesce/internal';

/**
 * The state that both ends of a `oneshot` share: open, until a value was sent, the sender was closed without one, or the
 * receiver was closed.
 *
 * Invariant: a value that was sent stays, whichever end is closed afterwards.
 */
export class OneshotState<T> implements Takeable<T>, WaiterList {
  head: WaiterItem | undefined = undefined;
  readonly once = true;
  /** Set once, by `send`. */
  value: T | typeof PENDING = PENDING;
  /** Set once, when the sender has sent or was closed. */
  isSpent = false;
  /** Set once, when the receiver was closed. */
  isClosed = false;
  readonly closing: Condition = new Condition(() => this.isClosed);

  poll(): T | typeof PENDING {
    if (this.value !== PENDING) return this.value;
    if (this.isClosed) throw new ClosedError('recv: this receiver was closed before a value was sent');
    if (this.isSpent) throw new ClosedError('recv: the sender was closed without having sent a value');
    return PENDING;
  }

  /** Nothing to undo: every poll returns the same value. */
  putBack(): boolean {
    return true;
  }

  park(waiter: Waiter): void {
    parkOn(this, waiter);
  }

  unpark(waiter: Waiter): void {
    unparkFrom(this, waiter);
  }
}
