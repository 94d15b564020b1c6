/**
 * Permits that one process at a time holds, or at most `permits` of them.
 *
 *     wait ──granted──► held ──work has ended──► given back
 *      ▲ hint, expiry      └── renewed every ttl / 3, also after the token is cancelled
 *
 * Invariants
 *  1. The token is cancelled before the engine can grant the permit again: its deadline counts from before the request was sent,
 *     and ends `grace` earlier than the engine's.
 *  2. A permit is renewed and kept until the work has ended, however long that takes after the cancellation.
 *  3. A wait that is given up leaves no permit behind: one that is granted too late is given back.
 */

import {
  CancellationToken,
  type Clock,
  type ClosedError,
  type RenewableDeadline,
  type Timer,
} from '@quiesce/cancellation-token';
import { backoffOf } from '@quiesce/internal';
import type { SlotAnswer } from './engine.ts';
import { LeaseLostError } from './errors.ts';
import type { Link } from './link.ts';

/** A lease that is held. */
export interface HeldLease {
  readonly name: string;
  /** Grows with each holder. It belongs into every write that the lease guards. With `permits` above 1 it is only an id. */
  readonly fence: number;
  /** The ms until the token is cancelled, unless the lease is renewed. */
  readonly left: number;
}

/** What a lease needs, checked. */
export interface LeaseRequest {
  readonly name: string;
  readonly permits: number;
  readonly ttl: number;
  readonly grace: number;
  readonly timeout: number;
  readonly signal: CancellationToken | undefined;
}

/** A permit of the engine. */
interface Grant {
  readonly holder: string;
  readonly fence: number;
  /** When the request was sent, on the clock. */
  readonly sent: number;
}

export class Leases {
  readonly #link: Link;
  readonly #clock: Clock;
  readonly #id: string;
  readonly #root: CancellationToken;
  /** Cancelled when waiting for permits ends for good. */
  readonly #stopped: CancellationToken = new CancellationToken();
  readonly #delayOf: (failures: number) => number = backoffOf('lease', { delay: 20, maxDelay: 1_000 });
  readonly #held: Map<object, HeldLease> = new Map();
  readonly #waiting: Set<() => void> = new Set();
  #count = 0;

  /** @param root the token above those of the leases */
  constructor(link: Link, clock: Clock, id: string, root: CancellationToken) {
    this.#link = link;
    this.#clock = clock;
    this.#id = id;
    this.#root = root;
  }

  /** The leases that are held. */
  get held(): HeldLease[] {
    return [...this.#held.values()];
  }

  /** Ends all waits. */
  stop(error: ClosedError): void {
    this.#stopped.cancel(error);
  }

  /** Lets all waits ask again: a permit may be free. */
  wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  /**
   * Waits for a permit, runs the work, and gives the permit back.
   *
   * @param onHeld called when the permit is held, before the work starts
   */
  async run<T>(
    request: LeaseRequest,
    work: (token: CancellationToken, held: HeldLease) => T,
    onHeld?: () => void,
  ): Promise<Awaited<T>> {
    const { name, ttl, grace, signal } = request;
    const grant = await this.#acquire(request);
    const above = signal === undefined ? this.#root : CancellationToken.any([this.#root, signal]);
    const { fence } = grant;
    const deadline = above.renewable(ttl - grace, {
      ...{ name, clock: this.#clock, since: grant.sent, wall: true },
      reason: () => new LeaseLostError(name, fence, `the engine did not renew it within ${ttl - grace} ms`),
    });
    const renewal = new Renewal(this.#link, this.#clock, this.#delayOf, request, grant, deadline);
    const held = {
      name,
      fence,
      get left() {
        return deadline.left;
      },
    };
    this.#held.set(grant, held);
    onHeld?.();
    try {
      return await work(deadline.token, held);
    } finally {
      renewal.stop();
      deadline.token.dispose();
      await this.#release(name, grant);
      this.#held.delete(grant);
    }
  }

  async #acquire({ name, permits, ttl, timeout, signal }: LeaseRequest): Promise<Grant> {
    const clock = this.#clock;
    const holder = `${this.#id}/${++this.#count}`;
    const stops = signal === undefined ? [this.#stopped] : [this.#stopped, signal];
    const waiting = CancellationToken.any(stops).withTimeout(timeout, { clock, name: `lease ${name}` });
    let failures = 0;
    for (;;) {
      if (waiting.isCancelled) throw waiting.reason;
      const sent = clock.now();
      const asked: { answer?: Promise<SlotAnswer> } = {};
      const answer = this.#link.call('hold', (engine) => {
        asked.answer = engine.hold({ name, holder, ttl, permits });
        return asked.answer;
      });
      try {
        const result = await waiting.runUntilCancelled(answer);
        if (result.status === 'fulfilled' && 'fence' in result.value) {
          const grant = { holder, fence: result.value.fence, sent };
          // An earlier request that seemed to fail may have been granted, and expires earlier than this one.
          if (failures === 0 || (await this.#isRenewed(name, grant, ttl, permits))) return grant;
        } else if (result.status === 'fulfilled') {
          const wait = 'wait' in result.value ? result.value.wait : 0;
          await this.#wait(waiting, Math.min(Math.max(1, Math.ceil(wait)), ttl / 2));
        }
      } catch {
        await this.#wait(waiting, this.#delayOf(++failures));
      }
      if (!waiting.isCancelled) continue;
      // See invariant 3.
      const giveBack = (late: SlotAnswer): void => {
        if ('fence' in late) void this.#release(name, { holder, fence: late.fence, sent });
      };
      asked.answer?.then(giveBack, () => {});
      throw waiting.reason;
    }
  }

  async #isRenewed(name: string, grant: Grant, ttl: number, permits: number): Promise<boolean> {
    const { holder, fence } = grant;
    const answer = await this.#link.call('hold', (engine) => engine.hold({ name, holder, ttl, permits, fence }));
    return 'fence' in answer;
  }

  /** Gives a permit back. One that cannot be given back expires. */
  async #release(name: string, { holder, fence }: Grant): Promise<void> {
    await this.#link.call('release', (engine) => engine.release({ name, holder, fence })).catch(() => {});
  }

  /** Waits for a time, for a hint, or until the wait is given up. */
  #wait(token: CancellationToken, ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        this.#clock.clearTimer(timer);
        registration.dispose();
        this.#waiting.delete(end);
        resolve();
      };
      const timer = this.#clock.setTimer(ms, end, { ref: true });
      this.#waiting.add(end);
      const registration = token.onCancelled(end);
      if (token.isCancelled) end();
    });
  }
}

/** Renews one lease until it is stopped. */
class Renewal {
  readonly #link: Link;
  readonly #clock: Clock;
  readonly #delayOf: (failures: number) => number;
  readonly #request: LeaseRequest;
  readonly #grant: Grant;
  readonly #deadline: RenewableDeadline;
  #timer: Timer | undefined;
  #failures = 0;
  #isStopped = false;

  constructor(
    link: Link,
    clock: Clock,
    delayOf: (failures: number) => number,
    request: LeaseRequest,
    grant: Grant,
    deadline: RenewableDeadline,
  ) {
    this.#link = link;
    this.#clock = clock;
    this.#delayOf = delayOf;
    this.#request = request;
    this.#grant = grant;
    this.#deadline = deadline;
    this.#setTimer(grant.sent + request.ttl / 3 - clock.now());
  }

  stop(): void {
    this.#isStopped = true;
    if (this.#timer !== undefined) this.#clock.clearTimer(this.#timer);
  }

  #setTimer(ms: number): void {
    if (!this.#isStopped) this.#timer = this.#clock.setTimer(Math.max(0, ms), () => void this.#renew(), { ref: false });
  }

  async #renew(): Promise<void> {
    const { name, ttl, grace, permits } = this.#request;
    const { holder, fence } = this.#grant;
    const sent = this.#clock.now();
    try {
      const answer = await this.#link.call('hold', (engine) => engine.hold({ name, holder, ttl, permits, fence }));
      if (this.#isStopped) return;
      if ('lost' in answer) {
        this.#deadline.token.cancel(new LeaseLostError(name, fence, 'the engine no longer has it'));
        return;
      }
      this.#failures = 0;
      this.#deadline.renew(ttl - grace, sent);
      this.#setTimer(sent + ttl / 3 - this.#clock.now());
    } catch {
      this.#setTimer(this.#delayOf(++this.#failures));
    }
  }
}
