import type { EngineConnection, FleetSubscription, FleetTopic, MemberRecord } from '../engine.ts';
import type { ContractCase } from '../engine-contract.ts';
import { demand, demandSame, idsOf, inWorld, odd, records, until } from './world.ts';

const MEET = 'meet makes and lists members';
const KEEP = 'A member is listed for keep after it was lost, and after it has left';
const E5 = 'E5: a hint follows each change';
const EXACT = 'E5: a hint about an inbox goes to its member only';

/** The cases of `meet`, `leave` and `listen`. */
export const memberCases: readonly ContractCase[] = [
  {
    name: 'meet lists the members, and a caller makes none',
    run: (engine) =>
      inWorld(engine, async ({ connect }) => {
        const [a, b] = await Promise.all([connect(), connect()]);
        demandSame(idsOf(await a.meet(undefined)), [], MEET);
        const names = [odd('a'), odd('b')] as const;
        demandSame(idsOf(await a.meet({ id: names[0], ttl: 60_000, keep: 60_000 })), [names[0]], MEET);
        await b.meet({ id: names[1], ttl: 30_000, keep: 60_000 });
        const list = await a.meet({ id: names[0], ttl: 60_000, keep: 60_000 });
        demandSame(idsOf(list), names, MEET);
        demandSame(idsOf(await b.meet(undefined)), names, MEET);
        for (const [i, ttl] of [60_000, 30_000].entries()) {
          const { left, gone } = find(list, names[i]);
          demand(left > 0 && left <= ttl && !gone, `E4: left of a member is above 0 and at most ${ttl}`, {
            left,
            gone,
          });
        }
      }),
  },
  {
    name: 'a member without a heartbeat is lost after its ttl, comes back, and is forgotten after keep',
    run: (engine) =>
      inWorld(engine, async ({ connect }) => {
        const connection = await connect();
        const id = odd('a');
        const other = { id: odd('b'), ttl: 1_000, keep: 60_000 };
        await connection.meet({ id, ttl: 1_000, keep: 1_000 });
        await connection.meet(other);
        const lost = (name: string) => async (): Promise<true | undefined> => {
          const list = await connection.meet(undefined);
          return find(list, name).left <= 0 ? true : undefined;
        };
        await until(`${MEET}: left of a lost member is 0 or less`, lost(other.id));
        const back = find(await connection.meet(other), other.id);
        demand(back.left > 0 && !back.gone, `${MEET}: a heartbeat after a loss counts`, back);
        await until(KEEP, async () => {
          const one = (await connection.meet(undefined)).find((member) => member.id === id);
          demand(one?.gone !== true, `${MEET}: a lost member has not left`, one);
          return one === undefined ? true : undefined;
        });
        await until(KEEP, lost(other.id));
        const again = find(await connection.meet({ id, ttl: 60_000, keep: 1_000 }), id);
        demand(again.left > 0, `${MEET}: also one that was forgotten`, again);
      }),
  },
  {
    name: 'a member that has left is gone, and is forgotten after keep',
    run: (engine) =>
      inWorld(engine, async ({ connect }) => {
        const [a, b] = await Promise.all([connect(), connect()]);
        const [short, long] = [odd('short'), odd('long')];
        await a.meet({ id: short, ttl: 60_000, keep: 1_000 });
        await a.meet({ id: long, ttl: 60_000, keep: 60_000 });
        await a.leave(long);
        const list = await b.meet(undefined);
        demand(find(list, long).gone, 'leave records that a member has left', find(list, long));
        demand(!find(list, short).gone, 'leave concerns one member', find(list, short));
        await a.leave(short);
        await a.leave(short);
        await a.leave(odd('stranger'));
        await until(KEEP, async () => {
          const members = await b.meet(undefined);
          demand(find(members, long).gone, KEEP, members);
          const one = members.find(({ id }) => id === short);
          demand(one?.gone !== false, 'leave records that a member has left', one);
          return one === undefined ? true : undefined;
        });
      }),
  },
  {
    name: 'E5: cancels and inboxes are hinted to their members',
    run: (engine) =>
      inWorld(engine, async ({ connect }) => {
        const [a, b, writer] = await Promise.all([connect(), connect(), connect()]);
        const [one, two] = await Promise.all([subscribed(a, odd('a')), subscribed(b, odd('b'))]);
        for (const { subscription } of [one, two]) await subscription.check();
        await one.next('cancels', () => writer.append(records('cancels', 'x', 1)));
        await two.next('cancels', () => writer.append(records('cancels', 'y', 1)));
        const before = one.count('inbox');
        await two.next('inbox', () => writer.append(records(odd('b'), 'i', 1)));
        // A hint to the first member would arrive before this one.
        await one.next('cancels', () => writer.append(records('cancels', 'z', 1)));
        demand(one.count('inbox') === before, EXACT, one.seen);
        await one.next('inbox', () => writer.append([...records('cancels', 'zz', 1), ...records(odd('a'), 'i', 1)]));
        await Promise.all([one.subscription.close(), two.subscription.close()]);
      }),
  },
  {
    name: 'E5: a subscription gets hints about its own appends, and no hints after close',
    run: (engine) =>
      inWorld(engine, async ({ connect }) => {
        const [a, b] = await Promise.all([connect(), connect()]);
        const [one, two] = await Promise.all([subscribed(a, odd('a')), subscribed(b, odd('b'))]);
        await one.next('cancels', () => a.append(records('cancels', 'x', 1)));
        await one.next('inbox', () => a.append(records(odd('a'), 'x', 1)));
        await one.subscription.close();
        const { length } = one.seen;
        await two.next('cancels', () => a.append([...records('cancels', 'y', 1), ...records(odd('a'), 'y', 1)]));
        demand(one.seen.length === length, 'E5: close ends a subscription', one.seen.slice(length));
        // A connection can subscribe again.
        const again = await subscribed(a, odd('a'));
        await again.next('cancels', () => b.append(records('cancels', 'z', 1)));
        await Promise.all([again.subscription.close(), two.subscription.close()]);
        demand(
          [one, two, again].every(({ broken }) => broken.length === 0),
          'E5: close is no broken',
          one.broken,
        );
      }),
  },
  {
    name: 'E5: a release that another holder waits for is hinted where hints are pushed',
    run: (engine) =>
      inWorld(engine, async ({ connect }) => {
        const [a, b] = await Promise.all([connect(), connect()]);
        const one = await subscribed(a, odd('a'));
        const slot = { name: odd('slot'), holder: 'h', ttl: 60_000, permits: 1 };
        const release = async (): Promise<void> => {
          const answer = await b.hold(slot);
          demand('fence' in answer, 'E6: a free permit is granted', answer);
          const refusal = await a.hold({ ...slot, holder: 'other' });
          demand('wait' in refusal, 'E6: hold never grants more than permits', refusal);
          await b.release({ ...slot, fence: answer.fence });
        };
        if (one.subscription.hints === 'push') await one.next('slots', release);
        else await release();
        await one.subscription.close();
      }),
  },
  {
    name: 'E8: listen says how hints arrive',
    run: (engine) =>
      inWorld(engine, async ({ connect }) => {
        const { subscription } = await subscribed(await connect(), odd('a'));
        demand(['push', 'polling'].includes(subscription.hints), 'E8: hints is push or polling', subscription.hints);
        await subscription.check();
        await subscription.close();
      }),
  },
];

interface Subscribed {
  readonly subscription: FleetSubscription;
  readonly seen: readonly FleetTopic[];
  readonly broken: readonly unknown[];
  count(topic: FleetTopic): number;
  /** Waits for a hint after an act. */
  next(topic: FleetTopic, act: () => Promise<void>): Promise<void>;
}

async function subscribed(connection: EngineConnection, me: string): Promise<Subscribed> {
  const seen: FleetTopic[] = [];
  const broken: unknown[] = [];
  const subscription = await connection.listen(me, {
    changed: (topic) => void seen.push(topic),
    broken: (error) => void broken.push(error),
  });
  const count = (topic: FleetTopic): number => seen.filter((one) => one === topic).length;
  const next = async (topic: FleetTopic, act: () => Promise<void>): Promise<void> => {
    const before = count(topic);
    await act();
    await until(`${E5}: ${topic}`, () => {
      demand(broken.length === 0, 'E5: a subscription lives while its engine does', String(broken[0]));
      return count(topic) > before ? true : undefined;
    });
  };
  return { subscription, seen, broken, count, next };
}

function find(list: readonly MemberRecord[], id: string | undefined): MemberRecord {
  const member = list.find((one) => one.id === id);
  demand(member !== undefined, `${MEET}: ${id} is a member`, list);
  return member;
}
