/**
 * The link to the engine: the subscription, the heartbeat, and the reading of cancels.
 *
 *     subscribe ──► become a member ──► read ──► up ──error──► down ──► subscribe …
 *
 * Invariants
 *  1. The link is up only after these three steps, in this order. No hint after the subscription is missed, and a listed member has
 *     read every cancel or will read it next.
 *  2. At most one read, one inbox read and one heartbeat are in flight at a time. All calls during one share the next one.
 *  3. The cursor of a log moves only with an answer that arrives in time. A late answer changes nothing.
 *  4. `provenAt` is the time at which the last complete read was sent, not when its answer arrived. A process that was stopped
 *     between the two therefore knows that it is stale.
 */

import { type Clock, ClosedError, type Timer } from '@quiesce/cancellation-token';
import { type WatchReceiver, type WatchSender, watch } from '@quiesce/channel';
import { backoffOf, ignore, toText } from '@quiesce/internal';
import { Coalesced } from './coalesce.ts';
import type {
  EngineConnection,
  FleetListener,
  FleetSubscription,
  FleetTopic,
  LogPage,
  MemberRecord,
  StoredRecord,
} from './engine.ts';
import { withLimit } from './limit.ts';

/** The state of a fleet's link to its engine. */
export interface FleetState {
  /** `down`: a call to the engine has failed, and the link is not up again yet. */
  readonly link: 'up' | 'down' | 'closed';
  /** `polling`: hints do not arrive, and the engine polls. */
  readonly hints: 'push' | 'polling';
  /** The error that took the link down. `undefined` when it is up. */
  readonly error: unknown;
  /** For how many ms in total cancels may have expired in the engine before this process could read them. */
  readonly missedMs: number;
}

/** Counts of the link, for `inspect`. */
export interface LinkCounters {
  /** How many pages were requested. */
  readCount: number;
  /** How many times records were stored. */
  appendCount: number;
  /** How many records were read. */
  entryCount: number;
  /** How many reads were whole. */
  wholeCount: number;
  /** How many cancels were recorded again. */
  repairedCount: number;
  /** How many calls have failed. */
  errorCount: number;
}

export interface LinkOptions {
  readonly clock: Clock;
  readonly requestTimeout: number;
  readonly reread: number;
  readonly retention: number;
  /** The id of this node, and the name of its inbox. */
  readonly id: string;
  /** Absent for a caller, which has no subscription, no heartbeat and no timer. */
  readonly membership: { readonly ttl: number; readonly keep: number } | undefined;
}

/** The callbacks of the link. */
export interface LinkEvents {
  /** A page of cancels, which arrived at this time. */
  onCancels(records: readonly StoredRecord[], now: number): void;
  /**
   * Every cancel in the engine was read.
   *
   * @param sent when the first request of the read was sent
   * @param isRequested whether this node requested all cancels. `false`: the engine could not answer from the cursor
   */
  onWhole(ids: ReadonlySet<string>, sent: number, isRequested: boolean): void;
  onInbox(records: readonly StoredRecord[]): void;
  /** A list of members, with the time and the number of the heartbeat that requested it. */
  onMembers(members: readonly MemberRecord[], sent: number, heartbeat: number): void;
  /** A complete read has arrived. */
  onProven(): void;
  onSlots(): void;
  /** The link is up again. */
  onUp(): void;
  /** The link is down. */
  onDown(): void;
  /** Whether an answer in the inbox could end a wait. */
  isInboxAwaited(): boolean;
}

/** The longest pause between two attempts to reach the engine, in ms. */
export const LONGEST_DELAY = 1_000;

export class Link {
  readonly #connection: EngineConnection;
  readonly #options: LinkOptions;
  readonly #events: LinkEvents;
  readonly counters: LinkCounters = {
    readCount: 0,
    appendCount: 0,
    entryCount: 0,
    wholeCount: 0,
    repairedCount: 0,
    errorCount: 0,
  };
  readonly #state: WatchSender<FleetState>;
  readonly state: WatchReceiver<FleetState>;
  readonly #delayOf: (failures: number) => number = backoffOf('link', { delay: 20, maxDelay: LONGEST_DELAY });
  readonly #reading: Coalesced<void> = new Coalesced(() => this.#readCancels());
  readonly #readingInbox: Coalesced<void> = new Coalesced(() => this.#readInbox());
  readonly #meeting: Coalesced<void> = new Coalesced(() => this.#meet());
  #subscription: FleetSubscription | undefined;
  /** The listener of the present subscription. Calls of earlier listeners are ignored. */
  #listener: FleetListener | undefined;
  #cursor: unknown;
  /** The ids of a whole read that is not complete. When a page fails, the cursor is already beyond the earlier pages. */
  #whole: { readonly ids: Set<string>; readonly sent: number; readonly isRequested: boolean } | undefined;
  #inboxCursor: unknown;
  /** Whether a hint about the inbox has arrived since the last read of it. */
  #isInboxHinted = false;
  #provenAt: number | undefined;
  #timer: Timer | undefined;
  #heartbeatCount = 0;
  #isClosed = false;

  constructor(connection: EngineConnection, options: LinkOptions, events: LinkEvents) {
    this.#connection = connection;
    this.#options = options;
    this.#events = events;
    [this.#state, this.state] = watch<FleetState>({ link: 'down', hints: 'polling', error: undefined, missedMs: 0 });
  }

  /** Connects for the first time. May be called again after a failure. */
  async open(): Promise<void> {
    await this.#connect();
    // Watchers get only later changes.
    this.state.borrowAndUpdate();
  }

  /** The ms since `provenAt`, or `Infinity` before the first read. */
  get age(): number {
    return this.#provenAt === undefined ? Number.POSITIVE_INFINITY : this.#options.clock.now() - this.#provenAt;
  }

  /** See invariant 4, on the clock. `undefined` before the first read. */
  get provenAt(): number | undefined {
    return this.#provenAt;
  }

  /** How many heartbeats have been sent. */
  get heartbeatCount(): number {
    return this.#heartbeatCount;
  }

  /** Reads the cancels, with a request that is sent after this call. */
  read(): Promise<void> {
    return this.#watched(this.#reading.run());
  }

  /** Reads all cancels again. */
  readWhole(): void {
    this.#cursor = undefined;
    this.read().catch(ignore);
  }

  /** Reads the inbox if a hint about it has arrived and answers are awaited. */
  readHintedInbox(): void {
    if (this.#isInboxHinted && this.#events.isInboxAwaited()) this.readInbox().catch(ignore);
  }

  readInbox(): Promise<void> {
    return this.#watched(this.#readingInbox.run());
  }

  /** Renews the membership and gets the list of members, with a request that is sent after this call. */
  meet(): Promise<void> {
    return this.#watched(this.#meeting.run());
  }

  /** Calls the engine with the limit. A failure takes the link down. `onLate` receives an answer after the limit. */
  call<T>(
    name: keyof EngineConnection,
    request: (engine: EngineConnection) => Promise<T>,
    onLate?: (answer: T) => void,
  ): Promise<T> {
    return this.#watched(this.#limited(name, request, onLate));
  }

  /** Ends the link. Each step has the limit of one call, and its errors are ignored. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#timer !== undefined) this.#options.clock.clearTimer(this.#timer);
    const { id, membership } = this.#options;
    const steps: (() => Promise<unknown> | undefined)[] = [
      // The engine may handle a heartbeat that is on its way after `leave`.
      () => this.#meeting.idle(),
      () => (membership === undefined ? undefined : this.#limited('leave', (engine) => engine.leave(id))),
      () => this.#endSubscription(),
      () => this.#limited('close', async (engine) => engine.close?.()),
    ];
    for (const step of steps) {
      try {
        await step();
      } catch {
        this.counters.errorCount++;
      }
    }
    this.#change({ link: 'closed', error: undefined });
    this.#state.close();
  }

  #limited<T>(
    name: string,
    request: (engine: EngineConnection) => Promise<T>,
    onLate?: (answer: T) => void,
  ): Promise<T> {
    const { clock, requestTimeout } = this.#options;
    return withLimit(clock, requestTimeout, name, () => request(this.#connection), onLate);
  }

  async #watched<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      this.#down(error);
      throw error;
    }
  }

  /** The three steps of invariant 1. */
  async #connect(): Promise<void> {
    if (this.#isClosed) throw new ClosedError('joinFleet: the fleet was closed');
    const isMember = this.#options.membership !== undefined;
    if (isMember && this.#subscription === undefined) await this.#subscribe(this.#options.id);
    await this.#meeting.run();
    if (isMember) await this.#reading.run();
    if (isMember && this.#events.isInboxAwaited()) await this.#readingInbox.run();
    // The subscription may have broken during the read. Between this check and `#becomeUp`, nothing can break it.
    if (isMember && this.#subscription === undefined) throw new Error('the subscription has ended');
    this.#becomeUp();
  }

  async #subscribe(me: string): Promise<void> {
    const listener: FleetListener = {
      changed: (topic) => {
        if (this.#listener === listener) this.#onHint(topic);
      },
      broken: (error) => {
        if (this.#listener !== listener) return;
        this.#dropSubscription();
        this.#down(error);
      },
    };
    this.#listener = listener;
    const listen = async (): Promise<FleetSubscription> => this.#connection.listen(me, listener);
    const close = (subscription: FleetSubscription): void => {
      this.#limited('close', async () => subscription.close()).catch(ignore);
    };
    try {
      const subscription = await this.#limited('listen', listen, close);
      if (this.#listener !== listener) {
        close(subscription);
        throw new Error('the subscription has ended');
      }
      this.#subscription = subscription;
      this.#change({ hints: subscription.hints });
    } catch (error) {
      if (this.#listener === listener) this.#listener = undefined;
      throw error;
    }
  }

  #dropSubscription(): void {
    void this.#endSubscription().catch(ignore);
  }

  async #endSubscription(): Promise<void> {
    const subscription = this.#subscription;
    this.#subscription = undefined;
    this.#listener = undefined;
    if (subscription !== undefined) await this.#limited('close', async () => subscription.close());
  }

  #onHint(topic: FleetTopic): void {
    if (this.#isClosed) return;
    if (topic === 'slots') this.#events.onSlots();
    else if (topic === 'cancels') this.read().catch(ignore);
    else {
      this.#isInboxHinted = true;
      this.readHintedInbox();
    }
  }

  #becomeUp(): void {
    if (this.#isClosed) return;
    this.#change({ link: 'up', error: undefined });
    // A caller has no heartbeat, and reads no cancels.
    if (this.#options.membership !== undefined) this.#setTimer(this.#options.reread, () => this.#tick());
    this.#events.onUp();
  }

  #down(error: unknown): void {
    this.counters.errorCount++;
    if (this.#isClosed || this.state.borrow().link === 'down') return;
    this.#change({ link: 'down', error });
    this.#events.onDown();
    this.#recover(1);
  }

  #recover(failures: number): void {
    this.#setTimer(this.#delayOf(failures), async () => {
      try {
        await this.#checkSubscription();
        await this.#connect();
      } catch (error) {
        this.counters.errorCount++;
        if (this.#isClosed) return;
        this.#change({ error });
        this.#recover(failures + 1);
      }
    });
  }

  /** Replaces a subscription that does not answer. */
  async #checkSubscription(): Promise<void> {
    const subscription = this.#subscription;
    if (subscription === undefined) return;
    try {
      await this.#limited('check', () => subscription.check());
    } catch {
      if (this.#subscription === subscription) this.#dropSubscription();
    }
  }

  /** The slow timer. It finds changes without hints. */
  async #tick(): Promise<void> {
    const check = this.#limited('check', async () => this.#subscription?.check());
    const steps = [this.meet(), this.#watched(check), this.read()];
    if (this.#events.isInboxAwaited()) steps.push(this.readInbox());
    await Promise.allSettled(steps);
    if (this.state.borrow().link === 'up') this.#setTimer(this.#options.reread, () => this.#tick());
  }

  #setTimer(ms: number, fn: () => Promise<void>): void {
    const { clock } = this.#options;
    if (this.#timer !== undefined) clock.clearTimer(this.#timer);
    if (!this.#isClosed) this.#timer = clock.setTimer(ms, () => void fn(), { ref: false });
  }

  async #meet(): Promise<void> {
    // A heartbeat after `leave` would bring the member back.
    if (this.#isClosed) throw new ClosedError('members: the fleet was closed');
    const { clock, id, membership } = this.#options;
    const heartbeat = ++this.#heartbeatCount;
    const sent = clock.now();
    const members = await this.#limited('meet', (engine) => engine.meet(membership && { id, ...membership }));
    this.#events.onMembers(members, sent, heartbeat);
  }

  async #readCancels(): Promise<void> {
    const { clock, retention } = this.#options;
    for (let more = true; more; ) {
      const sent = clock.now();
      const page = await this.#readPage('cancels', this.#cursor);
      if (page.whole) {
        this.counters.wholeCount++;
        this.#whole = { ids: new Set(), sent, isRequested: this.#cursor === undefined };
      }
      for (const { id } of page.records) this.#whole?.ids.add(id);
      this.#events.onCancels(page.records, clock.now());
      this.#cursor = page.cursor;
      more = page.more;
      if (more) continue;
      const unknown = this.#provenAt === undefined ? 0 : sent - this.#provenAt - retention;
      this.#provenAt = sent;
      if (unknown > 0) this.#change({ missedMs: this.state.borrow().missedMs + unknown });
    }
    const whole = this.#whole;
    this.#whole = undefined;
    if (whole !== undefined) this.#events.onWhole(whole.ids, whole.sent, whole.isRequested);
    this.#events.onProven();
  }

  async #readInbox(): Promise<void> {
    this.#isInboxHinted = false;
    for (let more = true; more; ) {
      const page = await this.#readPage(this.#options.id, this.#inboxCursor);
      this.#inboxCursor = page.cursor;
      more = page.more;
      this.#events.onInbox(page.records);
    }
  }

  async #readPage(log: string, after: unknown): Promise<LogPage> {
    this.counters.readCount++;
    const page = await this.#limited('read', (engine) => engine.read(log, after));
    this.counters.entryCount += page.records.length;
    return page;
  }

  #change(change: Partial<FleetState>): void {
    const before = this.state.borrow();
    const after = { ...before, ...change };
    // Each attempt has another error object, but a link that stays down has not changed.
    const isSame = (Object.keys(after) as (keyof FleetState)[]).every(
      (name) => Object.is(after[name], before[name]) || toText(after[name]) === toText(before[name]),
    );
    if (!isSame) this.#state.send(after);
  }
}
