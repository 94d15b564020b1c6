// However a loop ends, its functions are cancelled and awaited, and no waiter stays parked.
import {
  CancellationToken,
  isCancelledError,
  PENDING,
  type Source,
  setUncaughtHandler,
  source,
} from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { CleanupTimeoutError, match, repeat, SelectError, selectEach } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { cancelled, deferred, never, Probe, rejection, turn } from './vocabulary.ts';

interface Run {
  readonly probe: Probe<number>;
  readonly log: string[];
  readonly branches: { probe: Probe<number>; work: (token: CancellationToken) => Promise<string> };
}

/** A stream, and a function that needs time to end after its cancellation. */
function running(end: (token: CancellationToken) => string = (token) => Promise.reject(token.reason) as never): Run {
  const probe = new Probe<number>();
  const log: string[] = [];
  const work = async (token: CancellationToken): Promise<string> => {
    log.push('started');
    await token.cancelled();
    log.push(isCancelledError(token.reason) ? `cancelled: ${token.reason.message}` : `cancelled: ${token.reason}`);
    await turn();
    log.push('ended');
    return end(token);
  };
  return { probe, log, branches: { probe, work } };
}

/** Gives one value, and then runs the body of the loop. */
async function loopOnce(
  { probe, branches }: Run,
  body: () => 'break' | 'return' | 'go on',
  signal?: CancellationToken,
) {
  let isFirst = true;
  void turn().then(() => probe.push(1));
  for await (const _ of selectEach(branches, { signal })) {
    if (!isFirst) continue;
    isFirst = false;
    const what = body();
    if (what === 'break') break;
    if (what === 'return') return 'returned';
  }
  return 'left';
}

const left = 'cancelled: Branch "work": the loop ended';

describe('leaving a loop', () => {
  it.each(['break', 'return'] as const)('by %s cancels and awaits its functions', async (how) => {
    const run = running();
    expect(await loopOnce(run, () => how)).toBe(how === 'return' ? 'returned' : 'left');
    expect(run.log).toEqual(['started', left, 'ended']);
    expect(run.probe.waiters.size).toBe(0);
  });

  it('by a throw of its body does too, and throws that error', async () => {
    const run = running();
    const error = new Error('body');
    const fails = (): never => {
      throw error;
    };
    expect(await rejection(loopOnce(run, fails))).toBe(error);
    expect(run.log).toEqual(['started', left, 'ended']);
    expect(run.probe.waiters.size).toBe(0);
  });

  it('by its signal throws the reason once its functions have ended, wherever the loop is', async () => {
    for (const isBetween of [true, false]) {
      const run = running();
      const stop = new CancellationToken();
      const body = (): 'go on' => {
        if (isBetween) stop.cancel('stop');
        else void turn().then(() => stop.cancel('stop'));
        return 'go on';
      };
      expect(await rejection(loopOnce(run, body, stop))).toBe('stop');
      expect(run.log).toEqual(['started', 'cancelled: stop', 'ended']);
      expect(run.probe.waiters.size).toBe(0);
    }
  });

  it('by a signal that was already cancelled takes no value and starts no function', async () => {
    const probe = new Probe(1);
    let started = false;
    const work = () => (started = true);
    const loop = selectEach({ probe, work }, { signal: cancelled('before') });
    expect(await rejection(loop.next())).toBe('before');
    expect([probe.values, started]).toEqual([[1], false]);
    expect(await loop.next()).toEqual({ done: true, value: undefined });
  });

  it('by the failure of a branch awaits the other functions, and then throws that failure', async () => {
    const run = running();
    const { promise, reject } = deferred<never>();
    const loop = selectEach({ ...run.branches, fails: promise });
    const next = loop.next();
    reject(new Error('disk'));
    expect(await rejection(next)).toEqual(new Error('disk'));
    expect(run.log).toEqual(['started', 'cancelled: Branch "work" lost to branch "fails"', 'ended']);
    expect(await loop.next()).toEqual({ done: true, value: undefined });
  });

  it('before its first round has started no function', async () => {
    const run = running();
    const loop = selectEach(run.branches);
    expect(await loop.return()).toEqual({ done: true, value: undefined });
    expect(await loop.next()).toEqual({ done: true, value: undefined });
    expect([run.log, run.probe.polls, run.probe.parks]).toEqual([[], 0, 0]);
  });
});

describe('an error of a cancelled function', () => {
  it('is thrown when `break` ends the loop', async () => {
    const own = new Error('own');
    const run = running(() => Promise.reject(own) as never);
    expect(await rejection(loopOnce(run, () => 'break'))).toBe(own);
  });

  it('comes after the failure that ended the loop', async () => {
    const [own, disk] = [new Error('own'), new Error('disk')];
    const run = running(() => Promise.reject(own) as never);
    const loop = selectEach({ ...run.branches, fails: turn().then(() => Promise.reject(disk)) });
    const error = (await rejection(loop.next())) as SelectError;
    expect(error).toBeInstanceOf(SelectError);
    expect(error.errors).toEqual([disk, own]);
  });

  it('does not replace an error that is thrown into the loop, and is reported', async () => {
    const [own, body] = [new Error('own'), new Error('body')];
    const reported: unknown[] = [];
    const before = setUncaughtHandler((error) => reported.push(error));
    const delegates = async function* (loop: AsyncGenerator<unknown, void>) {
      yield* loop;
    };
    for (const make of [(loop: AsyncGenerator<unknown, void>) => loop, delegates]) {
      const run = running(() => Promise.reject(own) as never);
      const loop = make(selectEach(run.branches));
      void turn().then(() => run.probe.push(1));
      await loop.next();
      expect(await rejection(loop.throw(body))).toBe(body);
      expect(run.log.at(-1)).toBe('ended');
    }
    await turn();
    expect(reported).toEqual([own, own]);
    setUncaughtHandler(before);
  });

  it('is thrown at the next round when it comes while the body runs', async () => {
    const own = new Error('own');
    const probe = new Probe(1);
    const fail = deferred<never>();
    const loop = selectEach.biased({ probe, work: () => fail.promise });
    await loop.next();
    const second = loop.next();
    probe.push(2);
    await second;
    fail.reject(own);
    await turn();
    expect(await rejection(loop.next())).toBe(own);
  });

  it('is thrown by a `break` when it comes while the body runs', async () => {
    const own = new Error('own');
    const probe = new Probe(1, 2);
    const fail = deferred<never>();
    const loop = async (): Promise<void> => {
      let turns = 0;
      for await (const _ of selectEach.biased({ probe, work: () => fail.promise })) {
        if (++turns === 1) continue;
        fail.reject(own);
        await turn();
        break;
      }
    };
    expect(await rejection(loop())).toBe(own);
  });
});

describe('a generator with a pending next()', () => {
  it('ends its wait, cancels and awaits at `return()`', async () => {
    const run = running();
    const loop = selectEach(run.branches);
    const next = loop.next();
    await turn();
    expect(await loop.return()).toEqual({ done: true, value: undefined });
    expect(await next).toEqual({ done: true, value: undefined });
    expect(run.log).toEqual(['started', left, 'ended']);
    expect(run.probe.waiters.size).toBe(0);
  });

  it('does the same at `throw()`', async () => {
    const run = running();
    const loop = selectEach(run.branches);
    const next = loop.next();
    await turn();
    // As for any generator, it has ended by the time that the error arrives.
    expect(await rejection(loop.throw('thrown'))).toBe('thrown');
    expect(await next).toEqual({ done: true, value: undefined });
    expect(run.log).toEqual(['started', left, 'ended']);
  });

  it('ends at `return()` between two rounds that give no outcome', async () => {
    // After that many values that do not fit, no further value comes; `return()` is called after each number of microtasks.
    for (let microtasks = 0; microtasks < 40; microtasks++) {
      let values = 10;
      const odd: Source<number> = {
        [source]: { poll: () => (values-- > 0 ? 1 : PENDING), park: () => {}, unpark: () => {} },
      };
      const loop = selectEach({ odd: match(odd, (n) => n > 1) });
      const next = loop.next();
      for (let i = 0; i < microtasks; i++) await Promise.resolve();
      expect(await loop.return()).toEqual({ done: true, value: undefined });
      expect(await next).toEqual({ done: true, value: undefined });
    }
  });

  it('answers several calls of `next()` in order', async () => {
    const probe = new Probe<number>();
    const loop = selectEach({ probe });
    const asked = [loop.next(), loop.next(), loop.next()];
    for (const n of [1, 2, 3]) probe.push(n);
    expect((await Promise.all(asked)).map((result) => (result.value as { value: number }).value)).toEqual([1, 2, 3]);
    await loop.return();
  });

  it('ends at `return()` from a function that it is starting', async () => {
    const probe = new Probe<number>();
    const log: string[] = [];
    let isDone: Promise<unknown> | undefined;
    const work = async (token: CancellationToken): Promise<void> => {
      isDone = loop.return();
      await token.cancelled();
      log.push('ended');
    };
    const loop: AsyncGenerator<unknown, void> = selectEach({ probe, work, later: () => log.push('started') });
    expect(await loop.next()).toEqual({ done: true, value: undefined });
    await isDone;
    expect(log).toEqual(['ended']);
    expect(probe.waiters.size).toBe(0);
  });
});

describe('cleanupTimeout', () => {
  it('limits the wait when the loop ends', async () => {
    const clock = new VirtualClock();
    const probe = new Probe(1, 2);
    const loop = async (): Promise<void> => {
      for await (const { value } of selectEach.biased(
        { probe, deaf: repeat(() => never()) },
        { cleanupTimeout: 50, clock },
      )) {
        if (value === 2) break;
      }
    };
    const error = (await rejection(clock.run(loop))) as CleanupTimeoutError;
    expect(error).toBeInstanceOf(CleanupTimeoutError);
    expect(error.unfinished).toEqual([{ name: 'deaf', ageMs: 50 }]);
    expect([error.ms, error.errors, error.outcome, clock.pendingCount]).toEqual([50, [], undefined, 0]);
  });
});
