// A token that is sent to a worker by mistake. A token serves one thread: the other side gets at most a dead copy.
import { once } from 'node:events';
import { MessageChannel } from 'node:worker_threads';
import { CancellationToken, isCancellation, isSource } from '@quiesce/cancellation-token';
import { describe, expect, test } from 'vitest';
import { waiter } from './helpers/script.ts';

type Make = () => CancellationToken;

/** They contain nothing that cannot be copied. */
const copied: Record<string, Make> = {
  'a bare token': () => new CancellationToken(),
  'a named token': () => new CancellationToken({ name: 'import' }),
  'a child': () => new CancellationToken({ name: 'parent' }).childToken(),
  'a cancelled token': () => CancellationToken.alreadyCancelled('why'),
  'a disposed token': () => {
    const token = new CancellationToken();
    token.dispose();
    return token;
  },
  'a follower of a signal': () => CancellationToken.from(new AbortController().signal),
  'a combined token': () => CancellationToken.any([new CancellationToken()]),
  'a token with a callback': () => {
    const token = new CancellationToken();
    token.onCancelled(() => {});
    return token;
  },
  'a child of a token with a callback': () => {
    const token = new CancellationToken();
    token.onCancelled(() => {});
    return token.childToken();
  },
  'a token whose signal was read': () => {
    const token = new CancellationToken();
    expect(token.signal.aborted).toBe(false);
    return token;
  },
};

/** They contain functions, which the platform refuses to copy. */
const refused: Record<string, Make> = {
  'a token with a waiter': () => {
    const token = new CancellationToken();
    waiter([], token, 'woken');
    return token;
  },
  'a token with a deadline': () => CancellationToken.timeout(60_000),
};

describe.each(Object.entries(copied))('the copy that structuredClone makes of %s', (_, make) => {
  const copy = (): CancellationToken => structuredClone(make());

  test('is not a token: its state cannot be read, and it is not a source', () => {
    expect(copy()).not.toBeInstanceOf(CancellationToken);
    expect([copy().isCancelled, isSource(copy())]).toEqual([undefined, false]);
  });

  test('is refused by every call that takes a token, with a text that says what to do instead', () => {
    const text = /got a copy of a token, as postMessage and structuredClone make it; .* post a message/;
    const uses: ((wrong: CancellationToken) => unknown)[] = [
      (wrong) => CancellationToken.from(wrong),
      (wrong) => CancellationToken.any([wrong]),
      (wrong) => CancellationToken.all([new CancellationToken(), wrong]),
      (wrong) => isCancellation('why', wrong),
    ];
    for (const use of uses) {
      expect(() => use(copy())).toThrow(TypeError);
      expect(() => use(copy())).toThrow(text);
    }
  });

  test('leaves the original unchanged', () => {
    const token = make();
    const before = String(token);
    structuredClone(token);
    expect(String(token)).toBe(before);
    const child = new CancellationToken();
    structuredClone(child);
    expect(child.cancel('still alive')).toBe(true);
  });
});

test.each(Object.entries(refused))('%s cannot be copied: the platform throws a DataCloneError', (_, make) => {
  const token = make();
  expect(() => structuredClone(token)).toThrow(expect.objectContaining({ name: 'DataCloneError' }));
  expect(token.cancel('still alive')).toBe(true);
});

test('postMessage gives the other side the same copies, and refuses the same tokens', async () => {
  const { port1, port2 } = new MessageChannel();
  try {
    const arrives = once(port2, 'message');
    port1.postMessage(new CancellationToken({ name: 'import' }));
    const [copy] = await arrives;
    expect(() => CancellationToken.from(copy)).toThrow('got a copy of a token');
    const observed = new CancellationToken();
    waiter([], observed, 'woken');
    expect(() => port1.postMessage(observed)).toThrow(expect.objectContaining({ name: 'DataCloneError' }));
  } finally {
    port1.close();
  }
});

test('a reason reaches a worker as far as the platform allows: name, text and stack', () => {
  const copy = structuredClone(CancellationToken.alreadyCancelled().reason) as Error;
  expect(copy).toBeInstanceOf(Error);
  expect(copy.message).toBe('This operation was cancelled');
  expect(isCancellation(copy)).toBe(false);
});
