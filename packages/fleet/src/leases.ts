/**
 * Permits that one process at a time holds, or at most `permits` of them.
 *
 *     wait ──granted──► held ──work has ended──► given back
 *      ▲ hint, expiry      └── renewed every ttl / 3, also after the token is cancelled
 *
 * Invariants
 *  1. The token is cancelled before the engine can grant the permit again: its deadline counts from before the request was sent,
 *     and ends `expiryMargin` earlier than the engine's.
 *  2. A permit is renewed and kept until the work has ended, however long that takes after the cancellation.
 *  3. A wait that ends early leaves no permit: a permit that is granted too late is given back.
 */

import {
  CancellationToken,
  type Clock,
  type ClosedError,
  type Registration,
  type RenewableDeadline,
  TimeoutError,
  type Timer,
} from '@quiesce/cancellation-token';
import { backoffOf, ignore } from '@quiesce/internal';
import type { SlotAnswer } from './engine.ts';
import { LeaseLostError } from './errors.ts';
import type { Link } from './link.ts';

/** A lease that this process holds. */
export interface HeldLease {
  /** The name of the lease. */
  readonly name: string;
  /** Grows with each holder. Put it into every write that the lease guards. With `permits` above 1 it is only an id. */
  readonly fence: number;
  /** The ms until the token is cancelled, unless the lease is renewed. */
  readonly left: number;
}

/** The checked request of a lease. */
export interface LeaseRequest {
  readonly name: string;
  readonly permits: number;
  readonly ttl: number;
  readonly expiryMargin: number;
  readonly timeout: number;
  readonly signal: CancellationToken | undefined;
}

/** A permit of the engine. */
interface Grant {
  readonly holder: string;
  readonly fence: number;
  /** When the request was sent, on the clock. */
  readonly sent: number;
  /** Made before the request was sent. */
  readonly deadline: RenewableDeadline;
}

/** The requests of one wait. */
interface PermitWait {
  readonly request: LeaseRequest;
  readonly holder: string;
  /** Whether the wait has ended. */
  isOver: boolean;
  /** The permit that it received; `undefined`: none. */
  fence: number | undefined;
}

export class Leases {
  readonly #link: Link;
  readonly #clock: Clock;
  readonly #id: string;
  readonly #root: CancellationToken;
  /** Cancelled when no wait for a permit may continue. */
  readonly #stopped: CancellationToken = new CancellationToken();
  readonly #delayOf: (failures: number) => number = backoffOf('lease', { delay: 20, maxDelay: 1_000 });
  readonly #held: Map<object, HeldLease> = new Map();
  readonly #waiting: Set<() => void> = new Set();
  /** The permits that are being given back after their waits have ended. */
  readonly #givingBack: Set<Promise<unknown>> = new Set();
  #count = 0;
  /** How many hints have arrived. */
  #wakeCount = 0;

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

  /** Waits until the permits that were granted too late are given back: at most two calls to the engine. */
  async lateReleases(): Promise<void> {
    await Promise.all(this.#givingBack);
  }

  /** Lets all waits try again: a permit may be free. */
  wake(): void {
    this.#wakeCount++;
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
    const { name } = request;
    const grant = await this.#acquire(request);
    const { fence, deadline } = grant;
    for (const stop of [this.#stopped, request.signal]) {
      // Stopped since the answer has arrived.
      if (!stop?.isCancelled) continue;
      deadline.token.dispose();
      await this.#release(name, grant);
      throw stop.reason;
    }
    const renewal = new Renewal(this.#link, this.#clock, this.#delayOf, request, grant);
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

  async #acquire(request: LeaseRequest): Promise<Grant> {
    const { name, ttl, expiryMargin, timeout, signal } = request;
    const clock = this.#clock;
    const holder = `${this.#id}/${++this.#count}`;
    const stops = CancellationToken.any(signal === undefined ? [this.#stopped] : [this.#stopped, signal]);
    const isOnce = timeout === 0;
    const waiting = isOnce ? stops : stops.withTimeout(timeout, { clock, name: `lease ${name}` });
    const wait = (ms: number): Promise<void> | undefined => (isOnce ? undefined : this.#wait(waiting, ms));
    const permitWait: PermitWait = { request, holder, isOver: false, fence: undefined };
    let failures = 0;
    for (;;) {
      if (waiting.isCancelled) throw waiting.reason;
      const sent = clock.now();
      const wakeCount = this.#wakeCount;
      const deadline = this.#deadlineOf(request, permitWait);
      const answer = this.#requestPermit(permitWait);
      try {
        const result = await waiting.runUntilCancelled(answer);
        if (result.status === 'fulfilled' && 'fence' in result.value) {
          const { fence } = result.value;
          const grant = { holder, fence, sent, deadline };
          // An earlier request that seemed to fail may have been granted, and expires earlier than this one.
          const isHeld = failures === 0 || (await this.#isRenewed(name, grant, ttl, request.permits));
          permitWait.fence = fence;
          deadline.renew(ttl - expiryMargin, sent);
          if (isHeld && !deadline.token.isCancelled) {
            permitWait.isOver = true;
            return grant;
          }
          // After this limit the permit may already have expired.
          if (isHeld) await this.#release(name, grant);
          await wait(this.#delayOf(++failures));
        } else if (result.status === 'fulfilled') {
          if (!('wait' in result.value)) throw new Error('hold was not answered');
          // A hint that arrives before the answer may concern a release after it.
          const isHinted = this.#wakeCount !== wakeCount;
          if (!isHinted) await wait(Math.min(Math.max(1, Math.ceil(result.value.wait)), ttl / 2));
        }
      } catch {
        await wait(this.#delayOf(++failures));
      }
      deadline.token.dispose();
      if (!waiting.isCancelled && !isOnce) continue;
      permitWait.isOver = true;
      this.#giveBack(permitWait, answer);
      throw waiting.isCancelled
        ? waiting.reason
        : new TimeoutError(0, `lease ${JSON.stringify(name)}: no permit is free`);
    }
  }

  /** Makes the deadline before the request is sent, so that it also counts a sleep of the machine before the answer. */
  #deadlineOf({ name, ttl, expiryMargin, signal }: LeaseRequest, permitWait: PermitWait): RenewableDeadline {
    const above = signal === undefined ? this.#root : CancellationToken.any([this.#root, signal]);
    const why = `the engine did not renew it within ${ttl - expiryMargin} ms`;
    return above.renewable(Number.POSITIVE_INFINITY, {
      ...{ name, clock: this.#clock, wall: true },
      reason: () => new LeaseLostError(name, permitWait.fence ?? 0, why),
    });
  }

  /** Sends a request for a permit. A permit that is granted after the limit is given back. */
  #requestPermit(permitWait: PermitWait): Promise<SlotAnswer> {
    const { request, holder } = permitWait;
    const { name, ttl, permits } = request;
    const onLate = (late: SlotAnswer): void => {
      // Until the wait is over, the next request gets the same permit.
      if (!('fence' in Object(late))) return;
      const { fence } = late as { readonly fence: number };
      if (permitWait.isOver && fence !== permitWait.fence) void this.#release(name, { holder, fence });
    };
    return this.#link.call('hold', (engine) => engine.hold({ name, holder, ttl, permits }), onLate);
  }

  /** See invariant 3. An unanswered request may have been granted: another request of the same holder finds out. */
  #giveBack(permitWait: PermitWait, answer: Promise<SlotAnswer>): void {
    const { request, holder } = permitWait;
    const release = async (): Promise<void> => {
      const late = await answer.catch(() => this.#requestPermit(permitWait));
      if ('fence' in late) await this.#release(request.name, { holder, fence: late.fence });
    };
    const given: Promise<unknown> = release()
      .catch(ignore)
      .then(() => this.#givingBack.delete(given));
    this.#givingBack.add(given);
  }

  async #isRenewed(name: string, grant: Grant, ttl: number, permits: number): Promise<boolean> {
    const { holder, fence } = grant;
    const answer = await this.#link.call('hold', (engine) => engine.hold({ name, holder, ttl, permits, fence }));
    return 'fence' in answer;
  }

  /** Gives a permit back. When that fails, the permit expires. */
  async #release(name: string, { holder, fence }: Pick<Grant, 'holder' | 'fence'>): Promise<void> {
    await this.#link.call('release', (engine) => engine.release({ name, holder, fence })).catch(ignore);
  }

  /** Waits for a time, for a hint, or for the end of the wait. */
  #wait(token: CancellationToken, ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        this.#clock.clearTimer(timer);
        registration?.dispose();
        this.#waiting.delete(end);
        resolve();
      };
      const timer = this.#clock.setTimer(ms, end, { ref: true });
      this.#waiting.add(end);
      // When the token is already cancelled, `onCancelled` calls back before it returns.
      let registration: Registration | undefined;
      registration = token.onCancelled(end);
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
  #timer: Timer | undefined;
  #failures = 0;
  #isStopped = false;

  constructor(link: Link, clock: Clock, delayOf: (failures: number) => number, request: LeaseRequest, grant: Grant) {
    this.#link = link;
    this.#clock = clock;
    this.#delayOf = delayOf;
    this.#request = request;
    this.#grant = grant;
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
    const { name, ttl, expiryMargin, permits } = this.#request;
    const { holder, fence } = this.#grant;
    const sent = this.#clock.now();
    try {
      const answer = await this.#link.call('hold', (engine) => engine.hold({ name, holder, ttl, permits, fence }));
      if (this.#isStopped) return;
      if (!('fence' in answer)) {
        this.#grant.deadline.token.cancel(new LeaseLostError(name, fence, 'the engine no longer has it'));
        return;
      }
      this.#failures = 0;
      this.#grant.deadline.renew(ttl - expiryMargin, sent);
      this.#setTimer(sent + ttl / 3 - this.#clock.now());
    } catch {
      this.#setTimer(this.#delayOf(++this.#failures));
    }
  }
}
