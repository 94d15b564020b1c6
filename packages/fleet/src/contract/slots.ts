import type { EngineConnection, SlotAnswer } from '../engine.ts';
import type { ContractCase } from '../engine-contract.ts';
import { type ContractWorld, demand, inWorld, odd, until } from './world.ts';

const E6 = 'E6: hold never grants more than permits';
const ONCE = 'E6: the same holder is granted once';
const RENEW = 'E6: with a fence, hold only renews';
const GROW = 'E6: the fences of a name grow';
const WAIT = 'E6: wait is above 0, and at most the time that the permit is held';
const E7 = 'E7: release with another fence does nothing';
const LONG = 60_000;

interface Want {
  readonly ttl?: number;
  readonly permits?: number;
  readonly fence?: number;
}

/** One slot, and the connections of its holders. */
class Slot {
  readonly #name: string;
  readonly #connections: readonly EngineConnection[];

  constructor(name: string, connections: readonly EngineConnection[]) {
    this.#name = name;
    this.#connections = connections;
  }

  static async of(world: ContractWorld, name = odd('slot')): Promise<Slot> {
    return new Slot(name, await Promise.all([world.connect(), world.connect()]));
  }

  /** Holders with an even number use one connection, the others another. */
  hold(holder: number, { ttl = LONG, permits = 1, fence }: Want = {}): Promise<SlotAnswer> {
    return this.#connectionOf(holder).hold({ name: this.#name, holder: odd(`h${holder}`), ttl, permits, fence });
  }

  async acquire(holder: number, want?: Want): Promise<number> {
    const answer = await this.hold(holder, want);
    demand(
      'fence' in answer && Number.isSafeInteger(answer.fence),
      'E6: a free permit is granted with a fence',
      answer,
    );
    return answer.fence;
  }

  async refused(holder: number, want: Want = {}, invariant = E6): Promise<number> {
    const answer = await this.hold(holder, want);
    demand('wait' in answer, invariant, answer);
    demand(answer.wait > 0 && answer.wait <= LONG, WAIT, answer);
    return answer.wait;
  }

  async lost(holder: number, fence: number, want: Want = {}): Promise<void> {
    const answer = await this.hold(holder, { ...want, fence });
    demand('lost' in answer && answer.lost, `${RENEW}, and says lost afterwards`, answer);
  }

  /** Tries until the permit is granted. */
  acquireLater(holder: number, want?: Want): Promise<number> {
    return until('E6: an expired permit is granted', async () => {
      const answer = await this.hold(holder, want);
      demand(!('lost' in answer), 'E6: lost answers a fence only', answer);
      return 'fence' in answer ? answer.fence : undefined;
    });
  }

  release(holder: number, fence: number): Promise<void> {
    return this.#connectionOf(holder).release({ name: this.#name, holder: odd(`h${holder}`), fence });
  }

  #connectionOf(holder: number): EngineConnection {
    return this.#connections[holder % 2] as EngineConnection;
  }
}

/** The cases of `hold` and `release`. */
export const slotCases: readonly ContractCase[] = [
  ...[1, 2].map(
    (permits): ContractCase => ({
      name: `E6: of eight contenders, ${permits} ${permits === 1 ? 'gets' : 'get'} a permit`,
      run: (engine) =>
        inWorld(engine, async (world) => {
          const slot = await Slot.of(world);
          let waiting = [0, 1, 2, 3, 4, 5, 6, 7];
          while (waiting.length > 0) {
            const answers = await Promise.all(waiting.map((holder) => slot.hold(holder, { permits })));
            const holders = waiting.filter((_, i) => 'fence' in (answers[i] as SlotAnswer));
            const expected = Math.min(permits, waiting.length);
            demand(holders.length === expected, `${E6}: ${permits} of ${waiting.length}`, answers);
            for (const holder of waiting) if (!holders.includes(holder)) await slot.refused(holder, { permits });
            const fences = answers.flatMap((answer) => ('fence' in answer ? [answer.fence] : []));
            demand(new Set(fences).size === fences.length, GROW, fences);
            await Promise.all(holders.map((holder, i) => slot.release(holder, fences[i] as number)));
            waiting = waiting.filter((holder) => !holders.includes(holder));
          }
        }),
    }),
  ),
  {
    name: 'E6: the same holder is granted once',
    run: (engine) =>
      inWorld(engine, async (world) => {
        const slot = await Slot.of(world);
        const want = { permits: 2 };
        await Promise.all([slot.acquire(1, want), slot.acquire(1, want), slot.acquire(1, want)]);
        const fence = await slot.acquire(1, want);
        const second = await slot.acquire(2, want);
        await slot.refused(3, want, ONCE);
        demand((await slot.acquire(1, { ...want, fence })) === fence, RENEW, 'another fence');
        await slot.release(1, fence);
        const third = await slot.acquire(3, want);
        await slot.refused(4, want, ONCE);
        demand(third > second && third > fence, GROW, { fence, second, third });
      }),
  },
  {
    name: 'E6: a renewal keeps the fence and prolongs the permit',
    run: (engine) =>
      inWorld(engine, async (world) => {
        const slot = await Slot.of(world);
        const fence = await slot.acquire(1);
        // Shorter waits than before show that time passes. A longer one shows that the renewal counts.
        const first = await slot.refused(2);
        const later = await until(`${WAIT}, and falls`, async () => {
          const wait = await slot.refused(2);
          return wait < first - 300 ? wait : undefined;
        });
        const renewed = await slot.acquire(1, { fence });
        demand(renewed === fence, `${RENEW}: the fence stays`, { fence, renewed });
        const after = await slot.refused(2);
        demand(after > later, `${RENEW}: a renewal prolongs`, { before: later, after });
      }),
  },
  {
    name: 'E6: an expired permit goes to another holder, and its renewal says lost',
    run: (engine) =>
      inWorld(engine, async (world) => {
        const slot = await Slot.of(world);
        const want = { ttl: 1_000 };
        const first = await slot.acquire(1, want);
        const second = await slot.acquireLater(2, { ttl: LONG });
        demand(second > first, `${GROW}, also after expiry`, { first, second });
        await slot.lost(1, first, want);
        await slot.refused(1);
        await slot.release(1, first);
        await slot.refused(3, {}, E7);
        await slot.release(2, second);
        await slot.lost(1, first, want);
        await slot.lost(2, second);
        const third = await slot.acquire(1);
        demand(third > second, `${GROW}, also after release`, { second, third });
        await slot.lost(2, second);
      }),
  },
  {
    name: 'E6: one of two permits expires, and the other one is renewed',
    run: (engine) =>
      inWorld(engine, async (world) => {
        const slot = await Slot.of(world);
        const want = { permits: 2 };
        const kept = await slot.acquire(1, want);
        const dropped = await slot.acquire(2, { ...want, ttl: 1_000 });
        const next = await until('E6: an expired permit is granted', async () => {
          const renewed = await slot.hold(1, { ...want, fence: kept });
          demand('fence' in renewed, `${RENEW}: in time`, renewed);
          const answer = await slot.hold(3, want);
          return 'fence' in answer ? answer.fence : undefined;
        });
        demand(next > kept && next > dropped, GROW, { kept, dropped, next });
        await slot.lost(2, dropped, want);
        const other = await slot.hold(1, { ...want, fence: kept });
        demand('fence' in other, `${RENEW}: in time`, other);
      }),
  },
  {
    name: 'E6: holders with different ttls exclude each other',
    run: (engine) =>
      inWorld(engine, async (world) => {
        const slot = await Slot.of(world);
        const fence = await slot.acquire(1, { ttl: 30_000 });
        await slot.refused(2, { ttl: 5_000 });
        await slot.refused(3, { ttl: 60_000 });
        demand((await slot.acquire(1, { ttl: 60_000, fence })) === fence, RENEW, 'another fence');
        await slot.refused(2, { ttl: 30_000 });
        await slot.release(1, fence);
        const next = await slot.acquire(2, { ttl: 5_000 });
        demand(next > fence, GROW, { fence, next });
      }),
  },
  {
    name: 'E7: release with another fence does nothing',
    run: (engine) =>
      inWorld(engine, async (world) => {
        const slot = await Slot.of(world);
        const other = await Slot.of(world, odd('slot').concat('2'));
        const fence = await slot.acquire(1);
        const unrelated = await other.acquire(1);
        await slot.release(1, fence - 1);
        await slot.release(1, fence + 1);
        await slot.release(2, fence);
        await slot.refused(2, {}, E7);
        await other.release(1, unrelated);
        await slot.refused(2, {}, `${E7}; slots have permits of their own`);
        demand((await slot.acquire(1, { fence })) === fence, RENEW, 'another fence');
        await slot.release(1, fence);
        const next = await slot.acquire(2);
        demand(next > fence, GROW, { fence, next });
        await slot.release(1, fence);
        await slot.refused(3, {}, E7);
      }),
  },
];
