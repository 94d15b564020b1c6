/**
 * One process in a fleet: its runs, its tokens, the cancels that it knows, and the cancels that it has sent.
 *
 * Invariants
 *  1. A cancel is applied once, by id. The tree of tokens and the index of cancels are complete before any callback of the user.
 *  2. A run starts only when no cancel that this node knows covers it. When its last read is older than two `reread`, the node
 *     reads before it starts the run.
 *  3. An answer is sent when a cancel was applied, and when the last run that it found has ended. Answers are kept for 60 s. They
 *     are sent again after each reconnection, and after each whole read.
 *  4. After a whole read, the node looks for cancels that were recorded before the read and that the answer lacks. It records them
 *     again. A cancel therefore survives the loss of the engine's data as long as one member that has read it lives.
 *  5. At its timeout, the node forgets a cancel that the engine never confirmed. If the engine has it after all, a read returns it.
 */

import {
  CancellationToken,
  CancelledError,
  type Clock,
  ClosedError,
  type Registration,
  type Timer,
} from '@quiesce/cancellation-token';
import type { WatchReceiver } from '@quiesce/channel';
import { checkChoice, checkFunction, checkOptions, defineHandle } from '@quiesce/internal';
import { Appender } from './appender.ts';
import { attachTo, type FleetAttachOptions, type FleetShutdown } from './attach.ts';
import type { EngineConnection, FleetRecord, MemberRecord, StoredRecord } from './engine.ts';
import { CancelIncompleteError, EngineUnavailableError } from './errors.ts';
import { type FleetKey, keyOf } from './key.ts';
import { type Found, KeyTree, type Run } from './key-tree.ts';
import { type FleetLeaseOptions, leaseRequest } from './lease-options.ts';
import { type HeldLease, Leases } from './leases.ts';
import { type FleetState, Link, type LinkCounters, LONGEST_DELAY } from './link.ts';
import { type LiveCancel, LiveCancels, reasonOf } from './live-cancels.ts';
import { type FleetMember, Members } from './members.ts';
import { numberOf, signalOf } from './options.ts';
import { type CancelUntil, OwnAnswer, PendingCancel } from './pending-cancel.ts';
import { encode } from './reason.ts';
import type { CancelReceipt } from './receipt.ts';
import { decodeAnswer, decodeCancel, encodeAnswer, encodeCancel } from './wire.ts';

/** Options for `run`. */
export interface FleetRunOptions {
  /** Also cancels the run. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
  /**
   * After how many ms without an answer of the engine the run is cancelled, with an {@link EngineUnavailableError}: three times
   * `reread` or more. Without the engine, no cancels arrive. Default: `Infinity`.
   */
  readonly unreachable?: number | undefined;
}

/** The run, as its work sees it. */
export interface FleetRun {
  /** The key, as a string. */
  readonly key: string;
}

/** Options for `cancel`. */
export interface FleetCancelOptions {
  /**
   * The state to wait for. `recorded` (the default): the engine has stored the cancel, and every live member will read it.
   * `delivered`: every live member has applied it. `ended`: every run at or below the key has ended, on all live members.
   */
  readonly until?: CancelUntil | undefined;
  /** Ends the wait after this many ms, from 1 to 2^31-1. The cancel stays in force. Default: 10,000. */
  readonly timeout?: number | undefined;
  /** How many ms the cancel covers runs that start later, from 1,000 to `retention`. Default: `retention`. */
  readonly ttl?: number | undefined;
  /** Ends the wait. The cancel stays in force. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
}

/** The state of a fleet in this process, as plain JSON. */
export interface FleetInspection {
  /** The id of this member. */
  readonly id: string;
  /** As in `state`. */
  readonly link: FleetState['link'];
  /** As in `state`. */
  readonly hints: FleetState['hints'];
  /** As `fleet.age`. */
  readonly ageMs: number;
  /** The runs that have not ended. */
  readonly runs: readonly { readonly key: string; readonly ageMs: number; readonly isCancelled: boolean }[];
  /** The leases that are held. */
  readonly leases: readonly { readonly name: string; readonly fence: number; readonly leftMs: number }[];
  /** How many cancels this node keeps. */
  readonly cancelCount: number;
  /** The counters of the link. */
  readonly counters: Readonly<LinkCounters>;
}

/** The checked options of `joinFleet`. */
export interface FleetSettings {
  readonly clock: Clock;
  readonly id: string;
  readonly isMember: boolean;
  readonly reread: number;
  readonly memberTtl: number;
  readonly lostFor: number;
  readonly requestTimeout: number;
  readonly retention: number;
}

/** How long an answer is kept, in ms. */
const ANSWER_TTL = 60_000;
const LONGEST = 2 ** 31 - 1;

type RunWork<T> = (token: CancellationToken, run: FleetRun) => T;
type RunLimit = CancellationToken | undefined;

/** A token that is cancelled when the engine has been away for too long. */
interface LimitedByAge {
  readonly token: CancellationToken;
  end(): void;
}

/** A cancel of this node that waits for answers. */
interface Waiting {
  readonly pending: PendingCancel;
  end(error: unknown): void;
}

/**
 * A process that has joined a fleet. Made by `joinFleet`.
 *
 * Use it for work that other processes must be able to cancel, or that only one process may do at a time. Within one process, use
 * a scope and a token.
 *
 * **Timing.** `cancel` cancels the runs and tokens of this process inside the call, even when the engine is away. Other processes
 * cancel theirs when they read the cancel: after a hint, or at the next `reread` when hints are lost.
 *
 * **Cancel safety.** When the wait of a `cancel` ends early, the cancel stays in force. When the wait of a `lease` ends early, it
 * holds no permit.
 *
 * @example
 * ```ts
 * await using fleet = await joinFleet({ engine: memoryEngine(), node: 'worker-1' });
 * const job = fleet.run(['jobs', 42, 1], (token) => token.cancelled().then(() => token.reason));
 * const receipt = await fleet.cancel(['jobs', 42], 'stopped by user', { until: 'ended' });
 * console.log(receipt.state, await job); // => ended stopped by user
 * ```
 */
export class Fleet implements AsyncDisposable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(Fleet, {
    name: 'fleet',
    asyncDispose: 'close',
    owns: (value) => #tree in value,
    facts: ({ id, inFlightCount, age, state }) => ({ id, inFlightCount, age, link: state.borrow().link }),
  });
  /** Name shown in reports of a shutdown. */
  readonly name: string = 'fleet';
  /** The name of the node and eight hex digits. */
  readonly id: string;
  /** Does the same as `close`. */
  declare readonly [Symbol.asyncDispose]: () => Promise<void>;
  readonly #settings: FleetSettings;
  readonly #root: CancellationToken = new CancellationToken({ name: 'fleet' });
  readonly #tree: KeyTree = new KeyTree(this.#root);
  readonly #cancels: LiveCancels = new LiveCancels();
  readonly #members: Members;
  readonly #link: Link;
  readonly #appender: Appender;
  readonly #leases: Leases;
  readonly #waiting: Map<string, Waiting> = new Map();
  /** The records of answers, and until when they are repeated. */
  readonly #answers: Map<string, { readonly record: FleetRecord; readonly until: number }> = new Map();
  readonly #unsent: Set<Promise<unknown>> = new Set();
  /** Renews the deadline of each run with `unreachable`. */
  readonly #renewals: Set<(provenAt: number) => void> = new Set();
  readonly #whenIdle: Set<() => void> = new Set();
  /** Asks for the members again when the list is complete again. */
  #listTimer: Timer | undefined;
  /** Whether the link has been down since it was last up. */
  #hadOutage = false;
  /** Whether members have not had time to return after a loss of data. While the engine is away, none can. */
  #isListPartial = false;
  #leaseCount = 0;
  #phase: 'open' | 'stopped' | 'closed' = 'open';
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(connection: EngineConnection, settings: FleetSettings) {
    const { clock, id, isMember, memberTtl, lostFor } = settings;
    this.#settings = settings;
    this.id = id;
    this.#members = new Members(lostFor);
    this.#link = new Link(
      connection,
      { ...settings, membership: isMember ? { ttl: memberTtl, keep: lostFor } : undefined },
      {
        onCancels: (records, now) => this.#onCancels(records, now),
        onWhole: (ids, sent, isAsked) => this.#onWhole(ids, sent, isAsked),
        onInbox: (records) => this.#onInbox(records),
        onMembers: (members, sent, heartbeat) => this.#onMembers(members, sent, heartbeat),
        onProven: () => this.#onProven(),
        onSlots: () => this.#leases.wake(),
        onUp: () => this.#onUp(),
        onDown: () => this.#onDown(),
        isInboxAwaited: () => this.#isInboxAwaited(),
      },
    );
    this.#appender = new Appender(clock, async (records) => {
      this.#link.counters.appendCount++;
      await this.#link.call('append', (engine) => engine.append(records));
    });
    this.#leases = new Leases(this.#link, clock, id, this.#root);
  }

  /** @internal Connects to the engine for the first time. */
  open(): Promise<void> {
    return this.#link.open();
  }

  /**
   * The link to the engine, as a watch receiver: whether it is up, whether hints arrive, the last error, and for how many ms
   * cancels may have expired before this process could read them. The receiver gets changes only.
   */
  get state(): WatchReceiver<FleetState> {
    return this.#link.state;
  }

  /** The ms since this process sent the last read that was answered in full. `Infinity` for a caller (`member: false`). */
  get age(): number {
    return this.#link.age;
  }

  /** How many runs have not ended, plus how many leases are held or awaited. */
  get inFlightCount(): number {
    return this.#tree.runCount + this.#leaseCount;
  }

  /** The keys of the runs that have not ended, for the reports of a shutdown. */
  get inFlightNames(): readonly string[] {
    return [...this.#tree.allRuns()].map(({ node }) => node.key);
  }

  /**
   * Runs work with a token that every process of the fleet can cancel.
   *
   * **Timing.** When the last read was sent less than two `reread` ago, the work starts inside the call. Otherwise it starts after
   * one read. When the engine does not answer that read, the work starts without it.
   *
   * **Cancel safety.** The run has ended when the promise of the work has settled, however long that takes after a cancellation.
   *
   * @param key names the work. Put the number of the attempt into the last segment, so that an old cancel does not cover a retry
   * @param work called with the token and with the key as a string
   * @param options `signal`, `unreachable`
   * @returns the result of the work
   * @throws (rejects) the error of the work. Without starting the work: the reason of a cancel that covers the key, or of `signal`;
   *   ClosedError after `stop`; EngineUnavailableError with `unreachable`; TypeError and RangeError for bad arguments
   */
  run<T>(
    key: FleetKey,
    work: (token: CancellationToken, run: FleetRun) => T,
    options: FleetRunOptions = {},
  ): Promise<Awaited<T>> {
    // An async function would retain its arguments and locals until the work has ended.
    try {
      this.#needMember('run');
      const path = keyOf('run', key);
      checkFunction('run', work);
      checkOptions('run', options, ['signal', 'unreachable']);
      const { reread } = this.#settings;
      const limit = signalOf('run', options.signal);
      const never = Number.POSITIVE_INFINITY;
      const unreachable = numberOf('run: unreachable', options.unreachable, never, 3 * reread, never);
      this.#checkStart('run', limit);
      if (this.age > 2 * reread) return this.#readAndStart(path, work, limit, unreachable);
      return this.#start(path, work, limit, unreachable);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Returns a token that every process of the fleet can cancel. No work is awaited.
   *
   * **Timing.** Synchronous. When a cancel covers the key, the token is already cancelled.
   *
   * A token that the program no longer references or observes is garbage-collected. Receipts count tokens, but `until: 'ended'`
   * does not wait for their work. When the end of the work matters, use `run`.
   *
   * @throws ClosedError after `stop`; TypeError and RangeError for a bad key
   */
  token(key: FleetKey): CancellationToken {
    this.#needMember('token');
    const path = keyOf('token', key);
    this.#checkStart('token', undefined);
    const now = this.#settings.clock.now();
    const cancel = this.#cancels.covering(path, now);
    return cancel === undefined ? this.#tree.addToken(path, now) : CancellationToken.alreadyCancelled(reasonOf(cancel));
  }

  /**
   * Cancels every run and every token at or below a key, on all members, and waits until the state in `until` is confirmed. It
   * fulfils only then.
   *
   * The cancel also covers runs that start later, until its `ttl` is over. It cannot be taken back: work that may run again needs
   * another key, such as one with the number of the attempt.
   *
   * **Timing.** Runs of this process are cancelled inside the call, even when the engine is away. The record is sent again until
   * the engine has confirmed it, or until `timeout`.
   *
   * **Cancel safety.** When the wait ends early, the cancel stays in force.
   *
   * @param key the key, or one above it
   * @param reason an error or a plain JSON value; other members get its name, message and code. Default: a `CancelledError`
   * @param options `until`, `timeout`, `ttl`, `signal`
   * @returns the receipt, with the confirmed state of each member
   * @throws (rejects) EngineUnavailableError when the engine has not confirmed the record in time: trying again is safe;
   *   CancelIncompleteError when the state in `until` was not confirmed in time; ClosedError when the fleet is closed; the reason
   *   of `signal`; TypeError and RangeError for bad arguments, before anything is cancelled
   */
  async cancel(key: FleetKey, reason?: unknown, options: FleetCancelOptions = {}): Promise<CancelReceipt> {
    const path = keyOf('cancel', key);
    checkOptions('cancel', options, ['until', 'ttl', 'signal', 'timeout']);
    const { clock, retention } = this.#settings;
    const { until = 'recorded' } = options;
    checkChoice('cancel: until', until, ['recorded', 'delivered', 'ended']);
    const timeout = numberOf('cancel: timeout', options.timeout, 10_000, 1, LONGEST);
    const ttl = numberOf('cancel: ttl', options.ttl, retention, 1_000, retention);
    const limit = signalOf('cancel', options.signal);
    const value = reason === undefined ? new CancelledError() : reason;
    const encoded = encode('cancel', value);
    this.#checkNotClosed('cancel');

    const now = clock.now();
    const isAnswered = until !== 'recorded';
    const from = isAnswered ? this.id : undefined;
    const id = newId(16);
    const cancel: LiveCancel = {
      ...{ id, key: path, body: encodeCancel(path, encoded, from, ttl === retention ? undefined : ttl) },
      ...{ coversUntil: now + ttl, keptUntil: now + retention, recordedAt: undefined, reason: { value } },
    };
    return await new Promise<CancelReceipt>((resolve, reject) => {
      const found = this.#tree.take(path);
      const isOwn = isAnswered && this.#settings.isMember;
      const own = isOwn ? new OwnAnswer(id, this.id, found, () => pending.check()) : undefined;
      const end = (settle: () => void): void => {
        if (!this.#waiting.delete(id)) return;
        clock.clearTimer(timer);
        registration?.dispose();
        settle();
      };
      const pending = new PendingCancel({ id, key: path, until }, this.id, this.#members, own, (receipt) =>
        end(() => resolve(receipt)),
      );
      this.#waiting.set(id, { pending, end: (error) => end(() => reject(error)) });
      const onTimeout = (): void => {
        if (cancel.recordedAt === undefined) this.#cancels.delete(cancel);
        end(() => reject(this.#timeoutError(pending, timeout)));
      };
      const timer = clock.setTimer(timeout, onTimeout, { ref: true });
      // When the signal is already cancelled, `onCancelled` calls back before it returns.
      let registration: Registration | undefined;
      registration = limit?.onCancelled((why) => end(() => reject(why)));
      // A caller runs nothing, and reads no cancels.
      if (this.#settings.isMember) this.#cancels.add(cancel);
      void this.#record(cancel, timeout);
      if (isAnswered && !this.#settings.isMember) void this.#pollInbox();
      cancelAll(found, value);
    });
  }

  /**
   * Waits for a lease, and runs work while this process holds it. At most `permits` processes of the fleet hold it at the same
   * time.
   *
   * When the lease is not renewed in time, the token is cancelled with a {@link LeaseLostError}, before the engine can grant the
   * lease to another process. In a process that was stopped, the token is cancelled when the process continues. A write that was
   * sent before may still arrive. Put `held.fence` into each write that the lease guards, and let its receiver refuse smaller
   * fences.
   *
   * **Timing.** The lease is renewed every third of `ttl`. It is given back when the work has ended, however long that takes after
   * a cancellation.
   *
   * **Fairness.** Any of the waiting processes may be the next holder.
   *
   * **Cancel safety.** When the wait ends early, this process holds no permit.
   *
   * @param name the name of the lease, 1 to 512 bytes
   * @param work called with the token, and with `name`, `fence` and `left` of the lease
   * @param options `permits`, `ttl`, `expiryMargin`, `timeout`, `signal`
   * @returns the result of the work
   * @throws (rejects) the error of the work; TimeoutError when no permit was free within `timeout`; the reason of `signal`;
   *   ClosedError after `stop`; TypeError and RangeError for bad arguments
   */
  async lease<T>(
    name: string,
    work: (token: CancellationToken, held: HeldLease) => T,
    options: FleetLeaseOptions = {},
  ): Promise<Awaited<T>> {
    this.#needMember('lease');
    checkFunction('lease', work);
    checkOptions('lease', options, ['permits', 'ttl', 'expiryMargin', 'timeout', 'signal']);
    const request = leaseRequest('lease', name, options);
    this.#checkStart('lease', request.signal);
    this.#leaseCount++;
    try {
      return await this.#leases.run(request, work);
    } finally {
      this.#leaseCount--;
      this.#checkIdle();
    }
  }

  /**
   * Adds the fleet to a shutdown, which drains it with its other parts, and closes it in the phase `final`.
   *
   * With `slot`, the process first waits for one of `permits` slots, so that at most `permits` processes of the fleet drain at the
   * same time. After `timeout`, it continues without a slot.
   *
   * @param shutdown a `Shutdown` of `@quiesce/shutdown`
   * @param options `slot`: `name`, `permits` (1), `ttl` (15,000 ms), `timeout` (5,000 ms)
   * @throws TypeError for anything but a shutdown
   */
  attach(shutdown: FleetShutdown, options?: FleetAttachOptions): void {
    this.#needMember('attach');
    this.#checkNotClosed('attach');
    attachTo(shutdown, options, {
      fleet: this,
      holdSlot: (request, onHeld, untilEnd) => this.#leases.run(request, () => untilEnd, onHeld),
    });
  }

  /** Refuses new runs, tokens and leases, and ends the waits for leases. Synchronous, idempotent. */
  stop(): void {
    if (this.#phase !== 'open') return;
    this.#phase = 'stopped';
    this.#leases.stop(new ClosedError('lease: the fleet has stopped'));
  }

  /**
   * Calls `stop`, and waits until all runs and leases have ended. When `signal` is cancelled, they are cancelled with its reason.
   *
   * @throws (rejects) the signal's reason, when it is cancelled before all have ended; TypeError for anything but a token or a signal
   */
  async drain(signal: CancellationToken | AbortSignal): Promise<void> {
    const token = CancellationToken.from(signal, 'drain');
    this.stop();
    const ended = await token.runUntilCancelled(this.#idle());
    if (ended.status !== 'cancelled') return;
    this.abort(token.reason);
    throw token.reason;
  }

  /** Calls `stop`, and cancels all runs, tokens and leases of this process. Synchronous, idempotent. */
  abort(reason?: unknown): void {
    this.stop();
    this.#root.cancel(reason);
  }

  /**
   * Leaves the fleet. Calls `stop`, cancels the remaining work and awaits it, sends the remaining answers, and records that this
   * member has left. The engine's client stays open, because it is yours.
   *
   * **Timing.** Takes as long as the work does, plus at most `requestTimeout` for each call to the engine. Idempotent. Do not await
   * it inside a run or a lease of the fleet: it would wait for itself.
   */
  close(): Promise<void> {
    if (this.#closing === undefined) {
      let start = (_closed: Promise<void>): void => {};
      // Before anything is cancelled: a callback may also close the fleet.
      this.#closing = new Promise((resolve) => {
        start = resolve;
      });
      start(this.#close());
    }
    return this.#closing;
  }

  /**
   * Returns the members of the fleet, as the engine lists them. The list also has members that were lost or have left, for `lostFor` ms.
   *
   * @throws (rejects) the error of the engine, or EngineUnavailableError after `requestTimeout`; ClosedError after `close`
   */
  async members(): Promise<FleetMember[]> {
    this.#checkNotClosed('members');
    await this.#link.meet();
    return this.#members.all();
  }

  /** Returns the state of the fleet in this process, as plain JSON, for a status page. Synchronous. */
  inspect(): FleetInspection {
    const { link, hints } = this.state.borrow();
    const now = this.#settings.clock.now();
    return {
      ...{ id: this.id, link, hints, ageMs: this.age },
      runs: [...this.#tree.allRuns()].map(({ node, since, token }) => ({
        ...{ key: node.key, ageMs: now - since, isCancelled: token.isCancelled },
      })),
      leases: this.#leases.held.map(({ name, fence, left }) => ({ name, fence, leftMs: left })),
      cancelCount: this.#cancels.size,
      counters: { ...this.#link.counters },
    };
  }

  async #close(): Promise<void> {
    this.stop();
    this.#phase = 'closed';
    for (const { end } of [...this.#waiting.values()]) end(new ClosedError('cancel: the fleet was closed'));
    this.#root.cancel(new CancelledError('The fleet was closed'));
    this.#endPoll();
    if (this.#listTimer !== undefined) this.#settings.clock.clearTimer(this.#listTimer);
    await this.#idle();
    await Promise.all([this.#sendRest(), this.#leases.settled()]);
    this.#appender.close();
    await this.#link.close();
  }

  /** Sends the answers that the engine has not confirmed, and takes at most `requestTimeout`. */
  async #sendRest(): Promise<void> {
    if (this.#unsent.size === 0) return;
    this.#appender.retryNow();
    const { clock, requestTimeout } = this.#settings;
    await new Promise<void>((resolve) => {
      const timer = clock.setTimer(requestTimeout, resolve, { ref: true });
      void Promise.all(this.#unsent).then(() => {
        clock.clearTimer(timer);
        resolve();
      });
    });
  }

  #idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#whenIdle.add(resolve);
      this.#checkIdle();
    });
  }

  #checkIdle(): void {
    if (this.inFlightCount > 0) return;
    for (const resolve of this.#whenIdle) resolve();
    this.#whenIdle.clear();
  }

  #needMember(call: string): void {
    if (this.#settings.isMember) return;
    throw new TypeError(
      `${call}: a caller (member: false) can only cancel and list members; join without member: false`,
    );
  }

  #checkNotClosed(call: string): void {
    if (this.#phase === 'closed') throw new ClosedError(`${call}: the fleet was closed`);
  }

  #checkStart(call: string, limit: CancellationToken | undefined): void {
    this.#checkNotClosed(call);
    if (this.#phase === 'stopped') throw new ClosedError(`${call}: the fleet has stopped`);
    if (limit?.isCancelled) throw limit.reason;
  }

  async #readAndStart<T>(path: string, work: RunWork<T>, limit: RunLimit, unreachable: number): Promise<Awaited<T>> {
    const read = this.#link.read().catch(() => {});
    await (limit === undefined ? read : limit.runUntilCancelled(read));
    this.#checkStart('run', limit);
    return await this.#start(path, work, limit, unreachable);
  }

  #start<T>(path: string, work: RunWork<T>, limit: RunLimit, unreachable: number): Promise<Awaited<T>> {
    if (this.age >= unreachable) throw this.#unreachableError(unreachable);
    const now = this.#settings.clock.now();
    const cancel = this.#cancels.covering(path, now);
    if (cancel !== undefined) throw reasonOf(cancel);
    const run = this.#tree.addRun(path, now, limit);
    const isLimited = unreachable !== Number.POSITIVE_INFINITY;
    return this.#execute(run, path, work, isLimited ? this.#limitByAge(run.token, unreachable) : undefined);
  }

  async #execute<T>(run: Run, key: string, work: RunWork<T>, limited: LimitedByAge | undefined): Promise<Awaited<T>> {
    try {
      return await work(limited?.token ?? run.token, { key });
    } finally {
      limited?.end();
      this.#tree.removeRun(run);
      this.#checkIdle();
    }
  }

  /** Makes a child token that is cancelled when the engine has been away for too long. */
  #limitByAge(token: CancellationToken, unreachable: number): LimitedByAge {
    const { clock } = this.#settings;
    const since = this.#link.provenAt ?? clock.now();
    const reason = (): EngineUnavailableError => this.#unreachableError(unreachable);
    const deadline = token.renewable(unreachable, { clock, since, reason });
    const renew = (provenAt: number): void => void deadline.renew(unreachable, provenAt);
    this.#renewals.add(renew);
    const end = (): void => {
      this.#renewals.delete(renew);
      deadline.token.dispose();
    };
    return { token: deadline.token, end };
  }

  #unreachableError(unreachable: number): EngineUnavailableError {
    const { error } = this.state.borrow();
    return new EngineUnavailableError(
      `run: the engine has been away for more than ${unreachable} ms (unreachable), so cancels do not arrive`,
      { cause: error },
    );
  }

  #timeoutError(pending: PendingCancel, timeout: number): Error {
    const receipt = pending.receipt();
    const key = JSON.stringify(receipt.key);
    if (receipt.state === 'unrecorded') {
      return new EngineUnavailableError(
        `cancel: ${key} was not recorded within ${timeout} ms; trying again is safe. Runs of this process are cancelled`,
        { cause: this.state.borrow().error, receipt },
      );
    }
    const parts = receipt.nodes.map(({ node, state, runningCount, unfinished }) => {
      if (state === 'silent') return `${node} is silent`;
      return state === 'stopping' ? `${node} still runs ${namesOf(unfinished, runningCount)}` : undefined;
    });
    const open = parts.filter((part) => part !== undefined);
    const what = open.length > 0 ? open.join('; ') : this.#whyUnlisted();
    return new CancelIncompleteError(
      `cancel: ${key} is recorded, but not ${pending.until} within ${timeout} ms: ${what}`,
      receipt,
    );
  }

  #whyUnlisted(): string {
    return this.#members.isComplete(this.#settings.clock.now())
      ? 'the list of members has not arrived'
      : 'the engine was away or has lost data, and members may not have returned yet; trying again is safe';
  }

  /** Stores the record of a cancel, or gives up after its timeout. */
  async #record(cancel: LiveCancel, timeout: number): Promise<void> {
    const { id, body } = cancel;
    const ttl = this.#settings.retention;
    const failure = await this.#appender.add({ log: 'cancels', id, body, ttl }, timeout);
    if (failure !== undefined) {
      if (cancel.recordedAt === undefined) this.#cancels.delete(cancel);
      return;
    }
    this.#onRecorded(cancel);
  }

  /** The engine has confirmed the record, or a read has returned it: the confirmation of an `append` can be lost. */
  #onRecorded(cancel: LiveCancel): void {
    if (cancel.recordedAt !== undefined) return;
    cancel.recordedAt = this.#settings.clock.now();
    this.#waiting.get(cancel.id)?.pending.recorded(this.#link.heartbeatCount);
    // If this call fails, the list arrives with the next heartbeat that succeeds.
    if (this.#waiting.has(cancel.id)) this.#link.meet().catch(() => {});
  }

  #onCancels(records: readonly StoredRecord[], now: number): void {
    for (const { id, body, left } of records) {
      const known = this.#cancels.get(id);
      if (known === undefined) this.#apply(id, body, left, now);
      else {
        known.keptUntil = now + left;
        this.#onRecorded(known);
      }
    }
  }

  #apply(id: string, body: string, left: number, now: number): void {
    const { key, from, ttl } = decodeCancel(body);
    const recordedAt = now - (this.#settings.retention - left);
    const keptUntil = now + left;
    const coversUntil = ttl === undefined ? keptUntil : recordedAt + ttl;
    const cancel: LiveCancel = { id, key, body, coversUntil, keptUntil, recordedAt: now, reason: undefined };
    this.#cancels.add(cancel);
    const found = this.#tree.take(key, coversUntil > now ? undefined : coversUntil);
    const isAnswered = from !== undefined && from !== this.id;
    const own = isAnswered
      ? new OwnAnswer(id, this.id, found, (answer) => answer.runs.size === 0 && this.#answer(from, answer))
      : undefined;
    if (found.targets.length > 0) cancelAll(found, reasonOf(cancel));
    if (own !== undefined && from !== undefined) this.#answer(from, own);
  }

  #answer(to: string, answer: OwnAnswer): void {
    const { clock } = this.#settings;
    const state = answer.read();
    const id = `${state.cancel}.${this.id}.${state.runningCount === 0 ? 'ended' : 'applied'}`;
    const record = { log: to, id, body: encodeAnswer(state), ttl: ANSWER_TTL };
    this.#answers.set(id, { record, until: clock.now() + ANSWER_TTL });
    this.#send(record, ANSWER_TTL);
  }

  #send(record: FleetRecord, ms: number): void {
    const sent: Promise<unknown> = this.#appender.add(record, ms).then(() => this.#unsent.delete(sent));
    this.#unsent.add(sent);
  }

  #repeatAnswers(): void {
    const now = this.#settings.clock.now();
    for (const [id, { record, until }] of this.#answers) {
      if (until <= now) this.#answers.delete(id);
      else this.#send(record, until - now);
    }
  }

  #onWhole(ids: ReadonlySet<string>, sent: number, isAsked: boolean): void {
    const now = this.#settings.clock.now();
    const absent = this.#cancels.absentFrom(ids, now);
    for (const { id, body, keptUntil, recordedAt = sent } of absent) {
      if (recordedAt > sent) continue;
      this.#link.counters.repairedCount++;
      this.#send({ log: 'cancels', id, body, ttl: keptUntil - now }, keptUntil - now);
    }
    // A cancel that was recorded after the read was sent is either newer than the answer, or lost. The next read decides.
    if (!isAsked && absent.some(({ recordedAt = sent }) => recordedAt > sent)) this.#link.readWhole();
    this.#repeatAnswers();
    // After an outage, another member may have recorded again what was lost.
    if (absent.length > 0 || this.#hadOutage) this.#awaitMembers();
    if (isAsked) return;
    // The engine may have lost its members, too. A receipt of a process that joins now can miss a member that is not listed.
    this.#link.meet().catch(() => {});
  }

  /** The engine may list too few members, until those that are live have had time to return. */
  #awaitMembers(): void {
    const { clock, reread } = this.#settings;
    const ms = reread + LONGEST_DELAY;
    this.#isListPartial = true;
    this.#members.expectCompleteFrom(clock.now() + ms);
    if (this.#listTimer !== undefined) clock.clearTimer(this.#listTimer);
    if (this.#phase === 'closed') return;
    const onReturned = (): void => {
      // Otherwise the time begins again when the link is up.
      if (this.#hadOutage) return;
      this.#isListPartial = false;
      void this.#listForWaiting();
    };
    this.#listTimer = clock.setTimer(ms, onReturned, { ref: false });
  }

  /** Gets a list of members for the cancels that wait, and the answers that may have arrived without a hint. */
  async #listForWaiting(): Promise<void> {
    if (this.#waiting.size === 0) return;
    try {
      await this.#link.meet();
      if (this.#isInboxAwaited()) await this.#link.readInbox();
    } catch {
      // The next heartbeat brings the list.
    }
  }

  #onInbox(records: readonly StoredRecord[]): void {
    for (const { body } of records) {
      const answer = decodeAnswer(body);
      if (answer !== undefined) this.#waiting.get(answer.cancel)?.pending.answered(answer);
    }
  }

  #onMembers(members: readonly MemberRecord[], sent: number, heartbeat: number): void {
    if (this.#members.update(members, this.#settings.clock.now())) this.#awaitMembers();
    // After an outage, only the read that follows shows whether data was lost.
    const isComplete = !this.#hadOutage && this.#members.isComplete(sent);
    for (const { pending } of [...this.#waiting.values()]) isComplete ? pending.listed(heartbeat) : pending.check();
    if (isComplete) this.#link.readHintedInbox();
  }

  /** Answers count only after the list of members has arrived. Until then they stay in the inbox. */
  #isInboxAwaited(): boolean {
    for (const { pending } of this.#waiting.values()) if (pending.isListed) return true;
    return false;
  }

  #onProven(): void {
    const { clock } = this.#settings;
    const now = clock.now();
    this.#cancels.sweep(now);
    for (const [id, { until }] of this.#answers) {
      if (until > now) break;
      this.#answers.delete(id);
    }
    for (const renew of this.#renewals) renew(this.#link.provenAt ?? now);
  }

  #onDown(): void {
    this.#members.believeNoneLost();
    this.#hadOutage = true;
  }

  #onUp(): void {
    const { clock, reread } = this.#settings;
    // Until then, a member that was also cut off may still pause between two attempts, or wait for its heartbeat.
    this.#members.believeLostFrom(clock.now() + reread + LONGEST_DELAY);
    if (this.#hadOutage) {
      this.#hadOutage = false;
      // A caller reads no cancels, so it cannot notice that the engine has lost its data.
      if (this.#isListPartial || !this.#settings.isMember) this.#awaitMembers();
      else void this.#listForWaiting();
    }
    this.#appender.retryNow();
    this.#repeatAnswers();
    this.#leases.wake();
  }

  /** Polls for answers while a cancel waits, because a caller has no subscription. */
  async #pollInbox(): Promise<void> {
    if (this.#isPolling) return;
    this.#isPolling = true;
    const { clock, reread } = this.#settings;
    let listedAt = clock.now();
    for (let delay = 20; this.#waiting.size > 0; delay = Math.min(2 * delay, 500)) {
      await new Promise<void>((resolve) => {
        const timer = clock.setTimer(delay, resolve, { ref: false });
        this.#endPoll = () => {
          clock.clearTimer(timer);
          resolve();
        };
      });
      if (this.#waiting.size === 0) break;
      await this.#link.readInbox().catch(() => {});
      if (clock.now() - listedAt < reread) continue;
      listedAt = clock.now();
      await this.#link.meet().catch(() => {});
    }
    this.#isPolling = false;
  }
  #isPolling = false;
  /** Ends the pause of `#pollInbox`. */
  #endPoll: () => void = () => {};
}

function cancelAll({ targets }: Found, reason: unknown): void {
  for (const target of targets) target.cancel(reason);
}

function namesOf(keys: readonly string[], count: number): string {
  const names = keys.map((key) => JSON.stringify(key)).join(', ');
  return count > keys.length ? `${names} and ${count - keys.length} more` : names;
}

/** Returns random hex digits. */
export function newId(bytes: number): string {
  const random = crypto.getRandomValues(new Uint8Array(bytes));
  return Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
