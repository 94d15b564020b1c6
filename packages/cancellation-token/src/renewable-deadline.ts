import { checkTime, defineHandle, misused } from '@quiesce/internal';
import { checkSince, type Deadline } from './deadline.ts';
import type { CancellationToken } from './token.ts';
import { isCancelled } from './tree.ts';

/**
 * A deadline that moves: `token` is cancelled when it has passed, and `renew` moves it until then.
 *
 * Created by `token.renewable`. Use it for work that may continue as long as another side keeps answering.
 *
 * @see Go's time.Timer.Reset
 * @example
 * ```ts
 * const clock = new VirtualClock();
 * const idle = new CancellationToken().renewable(1_000, { clock });
 * for (let received = 0; received < 3; received++) {
 *   await clock.advance(900);
 *   idle.renew(1_000); // a message has arrived
 * }
 * console.log(clock.now(), idle.token.isCancelled, idle.left); // => 2700 false 1000
 * ```
 */
export class RenewableDeadline {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(RenewableDeadline, {
    name: 'deadline',
    owns: (value) => #deadline in value,
    facts: ({ token, left }) => ({ token, left }),
    // Checked there: the check of `defineHandle` would allocate.
    unguarded: ['renew'],
  });
  /** The token that is cancelled at the deadline. Pass it to the work. */
  readonly token: CancellationToken;
  readonly #deadline: Deadline;

  /** @internal */
  constructor(token: CancellationToken, deadline: Deadline) {
    this.token = token;
    this.#deadline = deadline;
  }

  /**
   * The time until this deadline, in milliseconds, 0 or more. `Infinity`: it never passes. The token may have an earlier
   * deadline above: see `token.timeLeft`.
   */
  get left(): number {
    return Math.max(0, this.#deadline.remaining);
  }

  /**
   * Moves the deadline to `since + ms`, later or earlier. A time that has passed already ends the token.
   *
   * **Timing.** Synchronous; allocates nothing. A later deadline leaves the timer unchanged.
   *
   * @param ms milliseconds from 0 to `Infinity` (no deadline until the next renewal)
   * @param since when the time began, on the scale of the clock's `now()`; default: now. For an answer from another machine,
   *   pass the time before the request was sent
   * @returns `false`, and changes nothing, once the token is cancelled or the deadline has passed, noticed or not
   * @throws TypeError when `ms` or `since` is not a number; RangeError when `ms` is negative or NaN, or `since` is in the
   *   future
   */
  renew(ms: number, since?: number): boolean {
    if (!(#deadline in Object(this))) throw misused(RenewableDeadline.prototype, 'deadline', 'renew', this);
    checkTime('renew: the time', ms);
    if (since !== undefined) checkSince('renew', since, this.#deadline.clock.now());
    // A disposed token is never cancelled, but the tokens that were created below it still have the deadline.
    return !isCancelled(this.token) && this.#deadline.renew(ms, since);
  }
}
