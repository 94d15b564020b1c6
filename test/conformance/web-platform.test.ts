// The rules of the web platform for signals that depend on others (DOM, "dependent signals"), applied to tokens and
// their signals. The parent is the source, and its children are the dependents.
import { CancellationToken } from '@quiesce/cancellation-token';
import { describe, expect, test } from 'vitest';

/** Makes a parent and its dependents: children, a grandchild, and signals that the platform or a package derived from the parent's. */
function family(): { parent: CancellationToken; dependents: Record<string, CancellationToken> } {
  const parent = new CancellationToken();
  const child = parent.childToken();
  const dependents = {
    child,
    grandchild: child.childToken().childToken(),
    'follower of a native dependent': CancellationToken.from(AbortSignal.any([parent.signal])),
    'follower of the signal': CancellationToken.from(parent.signal).childToken(),
  };
  return { parent, dependents };
}

const kinds = Object.keys(family().dependents);
const dependent = (kind: string): { parent: CancellationToken; token: CancellationToken } => {
  const { parent, dependents } = family();
  return { parent, token: dependents[kind] as CancellationToken };
};

describe.each(kinds)('a dependent: %s', (kind) => {
  test('is not aborted while its source is not', () => {
    const { token } = dependent(kind);
    expect([token.signal.aborted, token.signal.reason]).toEqual([false, undefined]);
  });

  test('is aborted with its source, with the same reason', () => {
    const { parent, token } = dependent(kind);
    const { signal } = token;
    const reason = new Error('why');
    parent.cancel(reason);
    expect(signal.aborted).toBe(true);
    expect(signal.reason).toBe(reason);
  });

  test('has the default reason of its source, the same object', () => {
    const { parent, token } = dependent(kind);
    const { signal } = token;
    parent.cancel();
    expect(signal.reason).toMatchObject({ name: 'AbortError' });
    expect(signal.reason).toBe(parent.signal.reason);
  });

  test('fires one event, at itself, however often the source is cancelled', () => {
    const { parent, token } = dependent(kind);
    const events: unknown[] = [];
    token.signal.addEventListener('abort', (event) => {
      events.push([event.type, event.target === token.signal, event.isTrusted, event.bubbles, event.cancelable]);
    });
    parent.cancel();
    parent.cancel();
    token.cancel();
    expect(events).toEqual([['abort', true, true, false, false]]);
  });

  test('keeps its own first reason when its source is cancelled later', () => {
    const { parent, token } = dependent(kind);
    const { signal } = token;
    token.cancel('own');
    parent.cancel('source');
    expect([signal.reason, parent.signal.reason]).toEqual(['own', 'source']);
  });

  test('does not abort its source when it is aborted', () => {
    const { parent, token } = dependent(kind);
    token.cancel();
    expect([parent.isCancelled, parent.signal.aborted]).toEqual([false, false]);
  });
});

describe('a new dependent', () => {
  test('of an aborted source is aborted, with its reason, and fires no event', () => {
    const parent = new CancellationToken();
    parent.cancel('why');
    let events = 0;
    const { signal } = parent.childToken();
    signal.onabort = (): void => {
      events++;
    };
    expect([signal.aborted, signal.reason, events]).toEqual([true, 'why', 0]);
  });

  test('is aborted with the reason of its source when that is firing, and fires no event', () => {
    const parent = new CancellationToken();
    const seen: unknown[] = [];
    parent.signal.addEventListener('abort', () => {
      const { signal } = parent.childToken();
      signal.addEventListener('abort', () => seen.push('event'));
      seen.push(signal.aborted, signal.reason);
    });
    parent.cancel('why');
    expect(seen).toEqual([true, 'why']);
  });
});

test('all dependents are marked before the first event is dispatched, including the event of the source', () => {
  const parent = new CancellationToken();
  const children = [parent.childToken(), parent.childToken(), parent.childToken().childToken()];
  const seen: string[] = [];
  for (const token of [...children, parent]) {
    token.signal.addEventListener('abort', () => {
      seen.push([parent, ...children].map(({ isCancelled, reason }) => `${isCancelled} ${reason}`).join());
    });
  }
  parent.cancel('why');
  expect(seen).toEqual(Array(4).fill('true why,true why,true why,true why'));
});

test('the source fires first, then its dependents in the order of their creation', () => {
  const order: string[] = [];
  const parent = new CancellationToken();
  const tokens = { first: parent.childToken(), second: parent.childToken(), third: parent.childToken(), parent };
  for (const [name, { signal }] of Object.entries(tokens)) signal.addEventListener('abort', () => order.push(name));
  parent.cancel();
  expect(order).toEqual(['parent', 'first', 'second', 'third']);
});

test('algorithms that were added before the event run before its listeners', () => {
  const order: string[] = [];
  const parent = new CancellationToken();
  parent.onCancelled(() => order.push('algorithm'));
  parent.signal.addEventListener('abort', () => order.push('listener 1'));
  parent.signal.addEventListener('abort', () => order.push('listener 2'));
  parent.cancel();
  expect(order).toEqual(['algorithm', 'listener 1', 'listener 2']);
});

test('a dependent that is reachable in two ways fires once', () => {
  const parent = new CancellationToken();
  const [left, right] = [parent.childToken(), parent.childToken()];
  const both = CancellationToken.from(AbortSignal.any([left.signal, right.signal, parent.signal]));
  let events = 0;
  both.signal.addEventListener('abort', () => {
    events++;
  });
  parent.cancel('why');
  expect([events, both.reason]).toEqual([1, 'why']);
});

test('the first of several sources sets the reason, also when the second is aborted while the first is firing', () => {
  const [first, second] = [new CancellationToken(), new CancellationToken()];
  first.signal.addEventListener('abort', () => second.cancel('second'));
  const any = CancellationToken.from(AbortSignal.any([first.signal, second.signal]));
  const heard: unknown[] = [];
  any.onCancelled((reason) => heard.push(reason));
  first.cancel('first');
  expect([heard, any.reason, second.reason]).toEqual([['first'], 'first', 'second']);
});

test('cancelling a dependent while its source is firing changes nothing', () => {
  const parent = new CancellationToken();
  const child = parent.childToken();
  const { signal } = child;
  let events = 0;
  parent.signal.addEventListener('abort', () => expect(child.cancel('too late')).toBe(false));
  signal.addEventListener('abort', () => {
    events++;
  });
  parent.cancel('why');
  expect([events, signal.reason]).toEqual([1, 'why']);
});

test('null is a reason, and undefined is not', () => {
  const [withNull, withNothing] = [new CancellationToken(), new CancellationToken()];
  withNull.cancel(null);
  withNothing.cancel(undefined);
  expect(withNull.childToken().signal.reason).toBeNull();
  expect(withNothing.childToken().signal.reason).toMatchObject({ name: 'AbortError' });
});
