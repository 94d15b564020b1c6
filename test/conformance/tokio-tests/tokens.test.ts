// Counterparts of tokio-util's tests of CancellationToken. tests.json maps each test.
import { CancellationToken } from '@quiesce/cancellation-token';
import { oneshot } from '@quiesce/channel';
import { describe, expect, it } from 'vitest';
import { Wait } from './vocabulary.ts';

const isDone = (wait: Wait<unknown>): boolean => wait.poll() !== 'pending';

describe('cancellation', () => {
  it('wakes each waiter once, and completes a wait that was not started', () => {
    const token = new CancellationToken();
    let wakes = 0;
    token.onCancelled(() => wakes++);
    const [waiting, made] = [new Wait(token.cancelled()), new Wait(token.cancelled())];
    expect([token.isCancelled, isDone(waiting)]).toEqual([false, false]);
    token.cancel();
    token.cancel();
    expect([token.isCancelled, waiting.isWoken, wakes]).toEqual([true, true, 1]);
    expect([isDone(waiting), isDone(made), made.isWoken]).toEqual([true, true, false]);
  });

  it('wakes no waiter that has left', () => {
    const token = new CancellationToken();
    const wait = new Wait(token.cancelled());
    expect(isDone(wait)).toBe(false);
    wait.drop();
    token.cancel();
    expect(wait.isWoken).toBe(false);
  });

  it('of a parent cancels its children', () => {
    const token = new CancellationToken();
    const child = token.childToken();
    const waits = [new Wait(child.cancelled()), new Wait(token.cancelled())];
    expect(waits.map(isDone)).toEqual([false, false]);
    token.cancel();
    expect([child.isCancelled, waits.map(({ isWoken }) => isWoken), waits.map(isDone)]).toEqual([
      true,
      [true, true],
      [true, true],
    ]);
  });

  it('reaches a grandchild whose parent was disposed', () => {
    const token = new CancellationToken();
    const between = token.childToken();
    const child = between.childToken();
    between.dispose();
    const wait = new Wait(child.cancelled());
    expect([child.isCancelled, isDone(wait)]).toEqual([false, false]);
    token.cancel();
    expect([child.isCancelled, wait.isWoken, isDone(wait)]).toEqual([true, true, true]);
  });

  it('of a child leaves its parent uncancelled, and does not affect the next child', () => {
    const token = new CancellationToken();
    const [first, parentWait] = [token.childToken(), new Wait(token.cancelled())];
    parentWait.poll();
    first.cancel();
    const second = token.childToken();
    const wait = new Wait(second.cancelled());
    expect([token.isCancelled, isDone(parentWait), second.isCancelled, isDone(wait)]).toEqual([
      false,
      false,
      false,
      false,
    ]);
    token.cancel();
    expect([isDone(parentWait), second.isCancelled, wait.isWoken]).toEqual([true, true, true]);
  });

  it('reaches exactly the descendants', () => {
    const parent = new CancellationToken();
    const [token, sibling] = [parent.childToken(), parent.childToken()];
    const [one, two] = [token.childToken(), token.childToken()];
    const [three, four] = [one.childToken(), one.childToken()];
    const five = three.childToken();
    const all = [parent, sibling, token, one, two, three, four, five];
    const waits = all.map((each) => new Wait(each.cancelled()));
    expect(waits.map(isDone)).toEqual(all.map(() => false));
    token.cancel();
    const expected = [false, false, true, true, true, true, true, true];
    expect(all.map(({ isCancelled }) => isCancelled)).toEqual(expected);
    expect(waits.map(({ isWoken }) => isWoken)).toEqual(expected);
    expect(waits.map(isDone)).toEqual(expected);
  });
});

describe('a child', () => {
  it('is cancelled from the start when its parent is cancelled', () => {
    const token = new CancellationToken();
    token.cancel('why');
    for (const childFirst of [true, false]) {
      const child = token.childToken();
      expect([child.isCancelled, child.reason, isDone(new Wait(child.cancelled()))]).toEqual([true, 'why', true]);
      if (childFirst) child.dispose();
    }
    token.dispose();
    expect(isDone(new Wait(token.cancelled()))).toBe(true);
  });

  it('may be disposed in any order, which cancels nothing', () => {
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
    ]) {
      const token = new CancellationToken();
      const children = order.map(() => token.childToken());
      for (const i of order) {
        children[i]?.dispose();
        expect(token.isCancelled).toBe(false);
      }
    }
  });

  it('outlives a disposed parent, and is not cancelled by the disposal', () => {
    const token = new CancellationToken();
    const children = [token.childToken(), token.childToken()];
    token.dispose();
    expect(children.map(({ isCancelled }) => isCancelled)).toEqual([false, false]);
    for (const child of children) child.dispose();
  });

  it('is another token than its parent, and than any other one', () => {
    const token = new CancellationToken();
    const tokens = new Set([token, token.childToken(), new CancellationToken(), token]);
    expect(tokens.size).toBe(3);
    expect(CancellationToken.from(token)).toBe(token);
  });
});

describe('runUntilCancelled', () => {
  it('gives up on work that does not end', async () => {
    const token = new CancellationToken();
    const outcome = token.runUntilCancelled(new Promise<never>(() => {}));
    token.cancel('enough');
    expect(await outcome).toEqual({ status: 'cancelled', reason: 'enough' });
  });

  it('returns the result of the work', async () => {
    const [tx, rx] = oneshot<number>();
    const outcome = new CancellationToken().runUntilCancelled(async () => (await rx) + 1);
    tx.send(41);
    expect(await outcome).toEqual({ status: 'fulfilled', value: 42 });
  });

  it('does not start work when the token is already cancelled', async () => {
    const token = CancellationToken.alreadyCancelled('enough');
    const outcome = await token.runUntilCancelled(() => expect.unreachable());
    expect(outcome).toEqual({ status: 'cancelled', reason: 'enough' });
  });
});
