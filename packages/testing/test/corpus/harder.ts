import { failure } from '@quiesce/testing';
import { check, type Program } from './program.ts';

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

export const harder: readonly Program[] = [
  {
    name: 'an answer slower than 25 others',
    kind: 'test',
    test: (isFixed) => async (world) => {
      const get = world.external('get', (id: number) => id);
      const slots = new Array<number | undefined>(16);
      const lookup = async (id: number) => {
        const slot = isFixed ? id : id % 16;
        slots[slot] = id;
        const answer = await get(id);
        check(slots[slot] === answer, `the slot of ${answer} belongs to ${slots[slot]}`);
      };
      const first = lookup(0);
      first.catch(() => {});
      for (let id = 1; id <= 26; id++) await lookup(id);
      await first;
    },
  },
  {
    name: 'lease lost during renewal',
    kind: 'test',
    test: (isFixed) => async (world) => {
      let owner = 'a';
      let expires = 10_000;
      const renew = world.external('renew', () => {
        if (owner === 'a') expires = world.now + 10_000;
        return owner === 'a';
      });
      const write = world.external('write', () => check(owner === 'a', 'a write without the lease'));
      const takeover = setTimeout(() => {
        if (world.now >= expires) owner = 'b';
      }, 10_000);
      await sleep(6_000);
      const isOwner = await renew();
      if (!isFixed || isOwner) await write();
      clearTimeout(takeover);
    },
  },
  {
    name: 'timeout during a pause',
    kind: 'test',
    test: (isFixed) => async (world) => {
      let isOver = false;
      let callsAfter = 0;
      const get = world.external('get', ['ok', failure(new Error('503'))]);
      const attempts = async () => {
        for (let i = 0; i < 3; i++) {
          if (isFixed && isOver) return undefined;
          if (isOver) callsAfter++;
          try {
            return await get();
          } catch {
            await sleep(500);
          }
        }
        return undefined;
      };
      let deadline: ReturnType<typeof setTimeout> | undefined;
      const timeout = new Promise<void>((resolve) => {
        deadline = setTimeout(() => {
          isOver = true;
          resolve();
        }, 1_200);
      });
      await Promise.race([attempts(), timeout]);
      clearTimeout(deadline);
      await world.rest();
      check(callsAfter === 0, `${callsAfter} calls after the timeout`);
    },
  },
  {
    name: 'two frames in one task',
    kind: 'test',
    test: (isFixed) => async (world) => {
      const received: string[] = [];
      const early: string[] = [];
      let onData: ((frame: string) => void) | undefined;
      const onOpen = async () => {
        await null;
        onData = (frame) => received.push(frame);
        if (isFixed) for (const frame of early.splice(0)) onData(frame);
      };
      world.events('frames', ['open', 'hello'], (frame) => {
        if (frame === 'open') void onOpen();
        else if (onData !== undefined) onData(frame);
        else early.push(frame);
      });
      await world.rest();
      check(received[0] === 'hello', 'the first frame is lost');
    },
  },
  {
    name: '60 awaits before a call',
    kind: 'end',
    cancels: true,
    test: (isFixed) => async (world, signal) => {
      const read = world.external('read', ['plan']);
      const charge = world.external('charge', ['ok'], { abortable: false });
      let isCharged = false;
      world.atEnd(() => check(!isCharged, 'charged after the cancellation'));
      await read({ signal });
      signal.throwIfAborted();
      for (let i = 0; i < 60; i++) await null;
      if (isFixed) signal.throwIfAborted();
      if (signal.aborted) isCharged = true;
      await charge();
    },
  },
  {
    name: 'ABA',
    kind: 'test',
    test: (isFixed) => async (world) => {
      let top = 'a';
      let version = 0;
      let history = 0;
      const read = world.external('read', () => ({ top, version }));
      const prepare = world.external('prepare', ['ready']);
      const set = world.external('set', (next: string) => {
        top = next;
        version++;
        history++;
      });
      const compareAndSet = world.external(
        'compare-and-set',
        (seen: { top: string; version: number }, next: string) => {
          if (isFixed ? seen.version !== version : seen.top !== top) return false;
          top = next;
          version++;
          return true;
        },
      );
      const other = async () => {
        await set('b');
        await set('a');
      };
      const pop = async () => {
        const seen = await read();
        const before = seen.version;
        await prepare();
        const current = history;
        if (await compareAndSet(seen, 'c'))
          check(current === before || history === before, 'the top has changed in between');
      };
      await Promise.all([pop(), other()]);
    },
  },
  {
    name: 'grant and cancel in one task',
    kind: 'end',
    cancels: true,
    test: (isFixed) => async (world, signal) => {
      let held = 0;
      let grant: (() => void) | undefined;
      world.held('permits', () => held);
      world.events('grants', ['permit'], () => grant?.());
      const acquire = () =>
        new Promise<void>((resolve, reject) => {
          const abort = () => {
            grant = undefined;
            reject(signal.reason);
          };
          signal.addEventListener('abort', abort, { once: true });
          grant = () => {
            grant = undefined;
            signal.removeEventListener('abort', abort);
            held++;
            resolve();
          };
        });
      await acquire();
      if (!isFixed) signal.throwIfAborted();
      try {
        signal.throwIfAborted();
      } finally {
        held--;
      }
    },
  },
  {
    name: 'login answer after logout',
    kind: 'test',
    test: (isFixed) => async (world) => {
      const login = world.external('login', (name: string) => name);
      let user: string | undefined;
      let session = 0;
      let isLoggedOut = false;
      world.anytime('logout()', () => {
        session++;
        user = undefined;
        isLoggedOut = true;
      });
      const own = session;
      const name = await login('ada');
      if (!isFixed || own === session) user = name;
      check(!(isLoggedOut && user !== undefined), 'logged in after the logout');
    },
  },
  {
    name: 'late deadline timer',
    kind: 'test',
    test: (isFixed) => async (world) => {
      const get = world.external('get', ['ok']);
      const deadline = Date.now() + 1_000;
      let isExpired = false;
      const timer = setTimeout(() => {
        isExpired = true;
      }, 1_000);
      await get();
      clearTimeout(timer);
      if (isExpired || (isFixed && Date.now() >= deadline)) return;
      check(Date.now() < deadline, 'accepted after the deadline');
    },
  },
  {
    name: 'zombie commit',
    kind: 'end',
    test: (isFixed) => async (world) => {
      let commits = 0;
      const done = new Set<string>();
      const commit = world.external(
        'commit',
        (key: string) => {
          if (isFixed && done.has(key)) return;
          done.add(key);
          commits++;
        },
        { detached: true },
      );
      world.atEnd(() => check(commits <= 1, `${commits} commits`));
      const withTimeout = async () => {
        let timer: ReturnType<typeof setTimeout> | undefined;
        const timeout = new Promise<'timeout'>((resolve) => {
          timer = setTimeout(resolve, 1_000, 'timeout');
        });
        const first = await Promise.race([commit('order 1'), timeout]);
        clearTimeout(timer);
        return first !== 'timeout';
      };
      if (!(await withTimeout())) await withTimeout();
      await world.rest();
    },
  },
];
