import { broadcast } from '@quiesce/broadcast-channel';
import { CancellationToken, PENDING, type Source, source, type Waiter } from '@quiesce/cancellation-token';
import { branchOf, type SelectError, select } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { cancelled, deferred, now, rejection, turn } from './vocabulary.ts';

const unreadable = {
  get name(): string {
    throw new Error('this error cannot be read');
  },
};

/** A source whose acts may do anything. */
function scripted(acts: { poll?: () => unknown; park?: () => void }): Source<unknown> {
  return { [source]: { poll: acts.poll ?? (() => PENDING), park: acts.park ?? (() => {}), unpark: () => {} } };
}

describe('a poll that wakes the very select that is polling', () => {
  it('does not make a cancelled select cancel itself twice', async () => {
    const controller = new AbortController();
    const [tx, rx] = broadcast<string>(4);
    controller.signal.addEventListener('abort', () => tx.send('bye'));
    const outcome = select(
      { msg: rx, work: (token) => token.cancelled() },
      { signal: controller.signal, random: () => 0 },
    );
    controller.abort('stop');
    expect(await rejection(outcome)).toBe('stop');
  });

  it('loses no value: what was not won is still there', async () => {
    for (let i = 0; i < 200; i++) {
      const controller = new AbortController();
      const [tx, rx] = broadcast<string>(4);
      controller.signal.addEventListener('abort', () => tx.send('bye'));
      const outcome = select({ msg: rx, stop: controller.signal, work: (token) => token.cancelled() });
      controller.abort('stop');
      const { branch } = await outcome;
      expect([branch, rx.tryRecv().ok]).toEqual(branch === 'msg' ? ['msg', false] : ['stop', true]);
    }
  });

  it('is followed by another pass, so that what it made ready is seen', async () => {
    const token = new CancellationToken();
    let polls = 0;
    const waiters = new Set<Waiter>();
    const meddler: Source<never> = {
      [source]: {
        poll: () => {
          if (++polls === 3) token.cancel('by a poll');
          return PENDING;
        },
        park: (waiter) => void waiters.add(waiter),
        unpark: (waiter) => void waiters.delete(waiter),
      },
    };
    const outcome = select.biased({ token, meddler });
    for (const waiter of [...waiters]) waiter.wake();
    expect(await outcome).toEqual({ branch: 'token', value: 'by a poll' });
  });
});

describe('a source that does something else when it is polled or parked on', () => {
  it('may make a branch before it ready', async () => {
    const [tx, rx] = broadcast<string>(4);
    const token = new CancellationToken();
    const outcome = select({ lazy: scripted({ park: () => void tx.send('started') }), rx });
    expect(await outcome).toEqual({ branch: 'rx', value: 'started' });
    const poll = (): typeof PENDING => {
      token.cancel('x');
      return PENDING;
    };
    const other = select.biased({ token, meddler: scripted({ poll }) });
    expect(await other).toEqual({ branch: 'token', value: 'x' });
  });

  it('fails its branch when its park throws, and nothing stays parked on the others', async () => {
    const [tx, rx] = broadcast<string>(4);
    const broken = new Error('no room');
    const bad = scripted({
      park: () => {
        throw broken;
      },
    });
    expect(await rejection(select({ rx, bad }))).toBe(broken);
    expect(branchOf(broken)).toBe('bad');
    tx.send('still here');
    expect(rx.tryRecv()).toEqual({ ok: true, value: 'still here' });
  });
});

describe('a function that returns or throws what cannot be read', () => {
  it('fails with the error of its `then`, and the others are cancelled and awaited', async () => {
    const log: string[] = [];
    const outcome = select({
      first: async (token) => {
        await token.cancelled();
        log.push('first ended');
      },
      second: () => ({
        // biome-ignore lint/suspicious/noThenProperty: what this test is about
        get then(): never {
          throw new Error('then');
        },
      }),
    });
    expect(await rejection(outcome)).toEqual(new Error('then'));
    expect(log).toEqual(['first ended']);
  });

  it('as a loser is an error of its own', async () => {
    const outcome = select({
      won: Promise.resolve(1),
      lost: async (token) => {
        await token.cancelled();
        throw unreadable;
      },
    });
    const error = (await rejection(outcome)) as SelectError;
    expect(error.errors[0] === unreadable).toBe(true);
    expect(error.outcome).toEqual({ branch: 'won', value: 1 });
  });
});

describe('a select whose token is disposed', () => {
  it('goes on waiting for the parent of that token', async () => {
    const parent = new CancellationToken();
    const child = parent.childToken();
    const outcome = select({ never: new CancellationToken() }, { signal: child });
    child.dispose();
    parent.cancel('the parent');
    expect(await rejection(outcome)).toBe('the parent');
  });
});

describe('else', () => {
  it('is awaited', async () => {
    expect(await select({ off: false, else: async () => 5 })).toEqual({ branch: 'else', value: 5 });
    expect(await rejection(select({ off: null, else: () => Promise.reject(new Error('else')) }))).toEqual(
      new Error('else'),
    );
  });

  it('that is no function is refused, also beside a branch that is on', async () => {
    expect(await rejection(select({ on: cancelled(1), else: 5 } as never))).toBeInstanceOf(TypeError);
  });
});

describe('what is refused', () => {
  it('leaves no promise beside it whose rejection would be unhandled', async () => {
    const unhandled: unknown[] = [];
    const listener = (error: unknown): void => void unhandled.push(error);
    process.on('unhandledRejection', listener);
    const work = deferred<never>();
    await rejection(select({ work: work.promise, wrong: 5 as never }));
    work.reject(new Error('later'));
    await turn();
    await turn();
    process.off('unhandledRejection', listener);
    expect(unhandled).toEqual([]);
  });
});

describe('branchOf', () => {
  it('forgets the branch when a later select rejects with the same object as its own reason', async () => {
    const error = new Error('shared');
    await rejection(select({ disk: Promise.reject(error) }));
    expect(branchOf(error)).toBe('disk');
    await rejection(select({ never: new CancellationToken() }, { signal: cancelled(error) }));
    expect(branchOf(error)).toBeUndefined();
  });
});

describe('a source that can be called', () => {
  it('is a source, not a function', async () => {
    const callable = Object.assign(() => 'called', { [source]: cancelled('polled')[source] });
    expect(await now(select({ callable }))).toEqual({ branch: 'callable', value: 'polled' });
  });
});
