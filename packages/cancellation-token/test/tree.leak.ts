import { getEventListeners } from 'node:events';
import { CancellationToken } from '@quiesce/cancellation-token';
import { expect, test } from 'vitest';
import { bytesPerTurn, check, collectGarbage, survivors } from '../../../test/leak/leak.ts';

const many = 20_000;
const turns = 100_000;
const nothing = (): void => {};

test('children that were read and then dropped without dispose are collected', async () => {
  const root = new CancellationToken();
  const left = await survivors(many, () => {
    const child = root.childToken();
    check(!child.isCancelled);
    return child;
  });
  expect(left).toBe(0);
  expect(root.isCancelled).toBe(false);
});

test('dropped children leave nothing in an observed parent', async () => {
  const root = new CancellationToken();
  root.onCancelled(nothing);
  expect(await bytesPerTurn({ turns }, () => root.childToken().childToken().isCancelled)).toBeLessThan(1);
  expect(root.cancel()).toBe(true);
});

test('children with a callback are collected once disposed', async () => {
  const root = new CancellationToken();
  const left = await survivors(many, () => {
    const child = root.childToken();
    child.onCancelled(nothing);
    child.dispose();
    return child;
  });
  expect(left).toBe(0);
  expect(root.isCancelled).toBe(false);
});

test('a child with a callback that is not disposed is retained, and notified', async () => {
  const root = new CancellationToken();
  let heard = 0;
  const kept = await survivors(1_000, () => {
    const child = root.childToken();
    child.onCancelled(() => {
      heard++;
    });
    return child;
  });
  expect(kept).toBe(1_000);
  root.cancel();
  expect(heard).toBe(1_000);
});

test('callbacks that are added and removed leave nothing, at any depth', async () => {
  const root = new CancellationToken();
  const deep = root.childToken().childToken().childToken();
  expect(await bytesPerTurn({ turns }, () => deep.onCancelled(() => {}).dispose())).toBeLessThan(1);
  expect(root.isCancelled).toBe(false);
});

test('a referenced registration retains neither its callback nor its siblings once it has run', async () => {
  const root = new CancellationToken();
  const closures: WeakRef<object>[] = [];
  const held = Array.from({ length: 3 }, () => {
    const fn = (): void => {};
    closures.push(new WeakRef(fn));
    return root.onCancelled(fn);
  });
  root.cancel();
  await collectGarbage();
  expect(closures.map((fn) => fn.deref())).toEqual([undefined, undefined, undefined]);
  expect(held.map((registration) => registration.dispose())).toEqual([false, false, false]);
});

test('a referenced registration does not retain its callback once its token is disposed', async () => {
  const token = new CancellationToken();
  const register = (): { registration: object; fn: WeakRef<object> } => {
    const fn = (): void => {};
    return { registration: token.onCancelled(fn), fn: new WeakRef(fn) };
  };
  const held = register();
  await collectGarbage();
  expect(held.fn.deref()).toBeDefined();
  token.dispose();
  await collectGarbage();
  expect(held.fn.deref()).toBeUndefined();
  expect(held.registration).toBeDefined();
});

test('cancelled tokens below a long-lived token are collected', async () => {
  const root = new CancellationToken();
  const left = await survivors(10_000, () => {
    const child = root.childToken();
    child.onCancelled(nothing);
    child.cancel();
    return child;
  });
  expect(left).toBe(0);
  expect(root.isCancelled).toBe(false);
});

test('a child whose signal was read and that is not disposed is retained and fires', async () => {
  const root = new CancellationToken();
  let fired = 0;
  const kept = await survivors(1_000, () => {
    const child = root.childToken();
    child.signal.addEventListener('abort', () => {
      fired++;
    });
    return child;
  });
  expect(kept).toBe(1_000);
  root.cancel();
  expect(fired).toBe(1_000);
});

test('a child whose signal was read is collected once disposed, and so is its signal', async () => {
  const root = new CancellationToken();
  const left = await survivors(10_000, () => {
    const child = root.childToken();
    const { signal } = child;
    child.dispose();
    return signal;
  });
  expect(left).toBe(0);
  expect(root.isCancelled).toBe(false);
});

test.each([false, true])(
  'replacing a token by `c = t.childToken(); t.dispose(); t = c` does not grow, read before: %s',
  async (isRead) => {
    const root = new CancellationToken();
    let token = root.childToken();
    const growth = await bytesPerTurn({ turns }, () => {
      const child = token.childToken();
      if (isRead) check(!child.isCancelled);
      token.dispose();
      token = child;
    });
    expect(growth).toBeLessThan(1);
    root.cancel('still linked');
    expect(token.reason).toBe('still linked');
  },
);

test('disposing in the middle of a chain leaves nothing of the disposed tokens', async () => {
  const root = new CancellationToken();
  const leaves: CancellationToken[] = [];
  const left = await survivors(10_000, () => {
    const middle = root.childToken();
    leaves.push(middle.childToken());
    middle.dispose();
    leaves.at(-1)?.isCancelled;
    return middle;
  });
  expect(left).toBe(0);
  root.cancel();
  expect(leaves.every((leaf) => leaf.isCancelled)).toBe(true);
});

test('followers of a foreign signal leave no listener and no object', async () => {
  const { signal } = new AbortController();
  const left = await survivors(many, () => {
    const follower = CancellationToken.from(signal);
    follower.onCancelled(nothing);
    follower.dispose();
    return follower;
  });
  expect(left).toBe(0);
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});

test('an unreferenced foreign signal is collected together with its unobserved followers', async () => {
  const left = await survivors(10_000, () => {
    const { signal } = new AbortController();
    check(!CancellationToken.from(signal).isCancelled);
    return signal;
  });
  expect(left).toBe(0);
});
