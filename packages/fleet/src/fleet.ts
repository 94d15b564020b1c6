/**
 * One process in a fleet: its runs, its tokens, the cancels that it knows, and the cancels that it has sent.
 *
 * Invariants
 *  1. A cancel is applied once, by id. The tree of tokens and the index of cancels are complete before any callback of the user.
 *  2. A run starts only when no cancel that this node knows covers it. When its last read is older than two `reread`, the node
 *     reads before it starts the run.
 *  3. After a whole read, the node looks for cancels that were recorded before the read and that the answer lacks. It records them
 *     again. A cancel therefore survives the loss of the engine's data as long as one member that has read it lives.
 *  4. At its timeout, the node forgets a cancel that the engine never confirmed. If the engine has it after all, a read returns it.
 */

import { CancellationToken, CancelledError, ClosedError } from '@quiesce/cancellation-token';
import type { WatchReceiver } from '@quiesce/channel';
import { checkChoice, checkFunction, checkOptions, defineHandle, ignore } from '@quiesce/internal';
import { Appender } from './appender.ts';
import { attachTo, type FleetAttachOptions, type FleetShutdown } from './attach.ts';
import type { EngineConnection, StoredRecord } from './engine.ts';
import type { FleetCancelOptions, FleetInspection, FleetRunOptions, FleetSettings } from './fleet-options.ts';
import { type FleetKey, keyOf } from './key.ts';
import { type Found, KeyTree } from './key-tree.ts';
import { type FleetLeaseOptions, leaseRequest } from './lease-options.ts';
import { type HeldLease, Leases } from './leases.ts';
import { type FleetState, Link, LONGEST_DELAY } from './link.ts';
import { type LiveCancel, LiveCancels, reasonOf } from './live-cancels.ts';
import { type FleetMember, Members } from './members.ts';
import { numberOf, signalOf } from './options.ts';
import { Outbox } from './outbox.ts';
import { OwnAnswer } from './pending-cancel.ts';
import { encode } from './reason.ts';
import type { CancelReceipt } from './receipt.ts';
import { type FleetRun, type RunRequest, Runs } from './runs.ts';
import { SentCancels } from './sent-cancels.ts';
import { decodeCancel, encodeCancel } from './wire.ts';

const LONGEST = 2 ** 31 - 1;

/**
 * A process that has joined a fleet. Made by `joinFleet`.
 *
 * Use it for work that other processes must be able to cancel, or that only one process may do at a time. Within one process, use
 * a scope and a token.
 *
 * **Timing.** `cancel` cancels the runs and tokens of this process inside the call, even when the engine is unavailable. Other processes
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
  readonly #outbox: Outbox;
  readonly #sent: SentCancels;
  readonly #runs: Runs;
  readonly #whenIdle: Set<() => void> = new Set();
  #leaseCount = 0;
  #phase: 'open' | 'stopped' | 'closed' = 'open';
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(connection: EngineConnection, settings: FleetSettings) {
    const { clock, id, isMember, memberTtl, lostFor, reread } = settings;
    this.#settings = settings;
    this.id = id;
    this.#members = new Members({
      ...{ clock, keep: lostFor, noticesLoss: isMember },
      // A member that was also cut off may pause between two attempts, or wait for its heartbeat.
      returnTime: reread + LONGEST_DELAY,
      onComplete: () => void this.#sent.requestAnswers(),
    });
    const link = new Link(
      connection,
      { ...settings, membership: isMember ? { ttl: memberTtl, keep: lostFor } : undefined },
      {
        onCancels: (records, now) => this.#onCancels(records, now),
        onWhole: (ids, sent, isRequested) => this.#onWhole(ids, sent, isRequested),
        onInbox: (records) => this.#sent.answered(records),
        onMembers: (list, sent, heartbeat) => this.#sent.listed(this.#members.update(list, sent), heartbeat),
        onProven: () => this.#onProven(),
        onSlots: () => this.#leases.wake(),
        onUp: () => this.#onUp(),
        onDown: () => this.#members.onDown(),
        isInboxAwaited: () => this.#sent.isInboxAwaited,
      },
    );
    this.#link = link;
    this.#appender = new Appender(clock, async (records) => {
      link.counters.appendCount++;
      await link.call('append', (engine) => engine.append(records));
    });
    this.#outbox = new Outbox(this.#appender, clock);
    this.#sent = new SentCancels({ ...settings, link, members: this.#members });
    const onEnded = (): void => this.#checkIdle();
    this.#runs = new Runs({ clock, tree: this.#tree, cancels: this.#cancels, link, onEnded });
    this.#leases = new Leases(link, clock, id, this.#root);
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
      const request = { key: path, work, limit, unreachable };
      return this.age > 2 * reread ? this.#readAndStart(request) : this.#runs.start(request);
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
   * **Timing.** Runs of this process are cancelled inside the call, even when the engine is unavailable. The record is sent again until
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
    const from = until === 'recorded' ? undefined : this.id;
    const id = newId(16);
    const cancel: LiveCancel = {
      ...{ id, key: path, body: encodeCancel(path, encoded, from, ttl === retention ? undefined : ttl) },
      ...{ coversUntil: now + ttl, keptUntil: now + retention, recordedAt: undefined, reason: { value } },
    };
    const onTimeout = (): void => {
      if (cancel.recordedAt === undefined) this.#cancels.delete(cancel);
    };
    const begin = (found: Found): void => {
      // A caller runs nothing, and reads no cancels.
      if (this.#settings.isMember) this.#cancels.add(cancel);
      void this.#record(cancel, timeout);
      cancelAll(found, value);
    };
    const find = (): Found => this.#tree.take(path);
    return await this.#sent.wait(cancel, { until, timeout, limit, find, begin, onTimeout });
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
    this.#sent.close(() => new ClosedError('cancel: the fleet was closed'));
    this.#root.cancel(new CancelledError('The fleet was closed'));
    this.#members.close();
    await this.#idle();
    await Promise.all([this.#outbox.flush(this.#settings.requestTimeout), this.#leases.lateReleases()]);
    this.#appender.close();
    await this.#link.close();
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

  async #readAndStart<T>(request: RunRequest<T>): Promise<Awaited<T>> {
    const { limit } = request;
    const read = this.#link.read().catch(ignore);
    await (limit === undefined ? read : limit.runUntilCancelled(read));
    this.#checkStart('run', limit);
    return await this.#runs.start(request);
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
    this.#sent.recorded(cancel.id);
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
      ? new OwnAnswer(id, this.id, found, (answer) => answer.runs.size === 0 && this.#outbox.answer(from, answer))
      : undefined;
    if (found.targets.length > 0) cancelAll(found, reasonOf(cancel));
    if (isAnswered && own !== undefined) this.#outbox.answer(from, own);
  }

  #onWhole(ids: ReadonlySet<string>, sent: number, isRequested: boolean): void {
    const now = this.#settings.clock.now();
    const absent = this.#cancels.absentFrom(ids, now);
    for (const { id, body, keptUntil, recordedAt = sent } of absent) {
      if (recordedAt > sent) continue;
      this.#link.counters.repairedCount++;
      this.#outbox.send({ log: 'cancels', id, body, ttl: keptUntil - now });
    }
    // A cancel that was recorded after the read was sent is either newer than the answer, or lost. The next read decides.
    if (!isRequested && absent.some(({ recordedAt = sent }) => recordedAt > sent)) this.#link.readWhole();
    this.#outbox.repeatAnswers();
    // After an outage, another member may have recorded again what was lost.
    if (absent.length > 0 || this.#members.isDown) this.#members.awaitReturn();
    if (isRequested) return;
    // The engine may have lost its members, too. A receipt of a process that joins now can miss a member that is not listed.
    this.#link.meet().catch(ignore);
  }

  #onProven(): void {
    const now = this.#settings.clock.now();
    this.#cancels.sweep(now);
    this.#outbox.sweep(now);
    this.#runs.renew(this.#link.provenAt ?? now);
  }

  #onUp(): void {
    this.#members.onUp();
    this.#appender.retryNow();
    this.#outbox.repeatAnswers();
    this.#leases.wake();
  }
}

function cancelAll({ targets }: Found, reason: unknown): void {
  for (const target of targets) target.cancel(reason);
}

/** Returns random hex digits. */
export function newId(bytes: number): string {
  const random = crypto.getRandomValues(new Uint8Array(bytes));
  return Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
