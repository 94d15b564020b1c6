// Notify, RwLock and Barrier with every way to give up a wait, in random orders of events, against models that count.
// A wait that is given up in the step in which it becomes ready must neither lose nor duplicate anything.
import { CancellationToken, type Source, wait } from '@quiesce/cancellation-token';
import { untilCancelled } from '@quiesce/cancellation-token/internal';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { Barrier, Notify, RwLock } from '@quiesce/channel';
import { select } from '@quiesce/select';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { runEventLoop } from './vocabulary.ts';

type Options = { readonly signal?: CancellationToken; readonly timeout?: number; readonly clock?: VirtualClock };

/** One wait that can be given up, and its outcome. */
class Gated<T> {
  value: T | undefined = undefined;
  state: 'waiting' | 'done' | 'given up' = 'waiting';
  readonly #stop: CancellationToken = new CancellationToken();
  readonly #clock: VirtualClock = new VirtualClock();
  readonly #isTimed: boolean;
  readonly #isLate: boolean;

  constructor(gate: (typeof gates)[number], make: (options?: Options) => PromiseLike<T> & Source<T>) {
    const [signal, clock] = [this.#stop, this.#clock];
    this.#isTimed = gate === 'timeout' || gate === 'both';
    this.#isLate = gate === 'late';
    const run = async (): Promise<T | typeof GONE> => {
      if (gate === 'signal') return make({ signal });
      if (gate === 'timeout') return make({ timeout: 5, clock });
      if (gate === 'both') return make({ signal: new CancellationToken(), timeout: 5, clock });
      if (gate === 'any') return make({ signal: CancellationToken.any([new CancellationToken(), signal]) });
      // A deadline that has passed, and whose timer has not fired: the next poll notices it.
      if (gate === 'late') return make({ signal: CancellationToken.timeout(5, { clock }) });
      if (gate === 'untilCancelled') {
        const outcome = await wait(untilCancelled(signal, make()));
        return outcome.status === 'cancelled' ? GONE : outcome.value;
      }
      const branches = { stop: signal, it: make() };
      const outcome = await (gate === 'biased' ? select.biased(branches) : select(branches));
      return outcome.branch === 'it' ? (outcome.value as T) : GONE;
    };
    run().then(
      (value) => this.#end(value),
      () => this.#end(GONE),
    );
  }

  /** Synchronous, except for a time limit, whose timer fires later. A late one leaves at its next wake-up. */
  async giveUp(): Promise<void> {
    if (this.#isLate) this.#clock.now = () => 10;
    else if (this.#isTimed) await this.#clock.advance(5);
    else this.#stop.cancel();
  }

  #end(value: T | typeof GONE): void {
    this.state = value === GONE ? 'given up' : 'done';
    if (value !== GONE) this.value = value;
  }
}
const GONE = Symbol('given up');
const gates = ['signal', 'late', 'timeout', 'both', 'any', 'untilCancelled', 'select', 'biased'] as const;

const steps = fc.array(
  fc.record({
    act: fc.constantFrom('wait', 'wait', 'giveUp', 'ready', 'both'),
    gate: fc.constantFrom(...gates),
    pick: fc.nat(20),
    turns: fc.boolean(),
  }),
  { maxLength: 40 },
);

function pick<T>(items: readonly T[], at: number): T | undefined {
  return items[at % Math.max(1, items.length)];
}
const waiting = <T>(all: readonly Gated<T>[]): Gated<T>[] => all.filter(({ state }) => state === 'waiting');
const done = <T>(all: readonly Gated<T>[]): Gated<T>[] => all.filter(({ state }) => state === 'done');

it('no notification is lost, and no waiter misses one', async () => {
  const property = fc.asyncProperty(steps, async (acts) => {
    const notify = new Notify();
    const all: Gated<void>[] = [];
    let given = 0;
    for (const { act, gate, pick: at } of acts) {
      if (act === 'wait') all.push(new Gated(gate, (options) => notify.notified(options)));
      const before = notify.waiterCount;
      const leaves = act === 'giveUp' || act === 'both' ? pick(waiting(all), at)?.giveUp() : undefined;
      if (act === 'ready' || act === 'both') {
        notify.notifyOne();
        // One that leaves in the same step has already left, or passes the notification on.
        given += before > 0 || given - done(all).length === 0 ? 1 : 0;
      }
      await leaves;
      await runEventLoop();
      const isStored = String(JSON.stringify(notify)).includes('"isNotified":true');
      expect(isStored && waiting(all).length > 0, 'sleeps beside a notification').toBe(false);
      given = Math.min(given, done(all).length + 1);
      expect(done(all).length + (isStored ? 1 : 0), 'taken and stored').toBe(given);
      expect(notify.waiterCount).toBe(waiting(all).length);
    }
  });
  await fc.assert(property, { numRuns: 150 });
});

it('a lock that is given up or lost is free again, and serves the next waiter', async () => {
  const property = fc.asyncProperty(steps, async (acts) => {
    const lock = new RwLock();
    const all: Gated<{ release(): void }>[] = [];
    const held = new Set<Gated<{ release(): void }>>();
    for (const { act, gate, pick: at, turns } of acts) {
      if (act === 'wait')
        all.push(new Gated(gate, (options) => (at % 2 === 0 ? lock.read(options) : lock.write(options)) as never));
      const leaves = act === 'giveUp' || act === 'both' ? pick(waiting(all), at)?.giveUp() : undefined;
      if (act === 'ready' || act === 'both') {
        const holder = pick([...held], at);
        if (holder !== undefined) held.delete(holder);
        holder?.value?.release();
      }
      await leaves;
      if (turns) await runEventLoop();
      for (const each of done(all)) if (each.value !== undefined && isHeld(each.value)) held.add(each);
    }
    await runEventLoop();
    for (const each of done(all)) if (each.value !== undefined && isHeld(each.value)) held.add(each);
    if (waiting(all).length > 0) expect(held.size, 'a task waits for a lock that is not held').toBeGreaterThan(0);
    for (let rounds = 0; rounds < 100 && (held.size > 0 || waiting(all).length > 0); rounds++) {
      for (const each of held) each.value?.release();
      held.clear();
      await runEventLoop();
      for (const each of done(all)) if (each.value !== undefined && isHeld(each.value)) held.add(each);
    }
    expect([waiting(all).length, lock.isLocked, lock.tryWrite().ok]).toEqual([0, false, true]);
  });
  await fc.assert(property, { numRuns: 150 });
});

const isHeld = (guard: object): boolean => (guard as { readonly isHeld: boolean }).isHeld;

it('a barrier is passed by the number of tasks that it counts, each time, and counts none that has left', async () => {
  const property = fc.asyncProperty(fc.integer({ min: 1, max: 4 }), steps, async (count, acts) => {
    const barrier = new Barrier(count);
    const all: Gated<{ readonly isLeader: boolean }>[] = [];
    for (const { act, gate, pick: at } of acts) {
      const leaves = act === 'giveUp' || act === 'both' ? pick(waiting(all), at)?.giveUp() : undefined;
      // A late one counts as arrived until its timer fires.
      const seen = gate === 'late' ? 'signal' : gate;
      if (act !== 'giveUp') all.push(new Gated(seen, (options) => barrier.wait(options)));
      await leaves;
      await runEventLoop();
      const passed = done(all);
      expect(barrier.arrivedCount).toBe(waiting(all).length);
      expect([passed.length % count, waiting(all).length < count]).toEqual([0, true]);
      expect(passed.filter(({ value }) => value?.isLeader)).toHaveLength(passed.length / count);
    }
  });
  await fc.assert(property, { numRuns: 150 });
});
