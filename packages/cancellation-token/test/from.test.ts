import { EventEmitter, getEventListeners } from 'node:events';
import { CancellationToken } from '@quiesce/cancellation-token';
import { describe, expect, test, vi } from 'vitest';
import { callback, chainBelow, type Log, observers } from './helpers/script.ts';

const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;

test('a token is returned unchanged', () => {
  const token = new CancellationToken().childToken();
  expect(CancellationToken.from(token)).toBe(token);
});

describe('the signal of a token gives a child of that token', () => {
  test('is cancelled synchronously with the token, and has its reason and deadline', () => {
    const token = CancellationToken.timeout(60_000, { name: 'request' });
    const before = CancellationToken.from(token.signal);
    expect([before.isCancelled, before.deadline]).toEqual([false, token.deadline]);
    token.cancel('deploy');
    for (const child of [before, CancellationToken.from(token.signal)]) {
      expect([child.isCancelled, child.reason]).toEqual([true, 'deploy']);
    }
  });

  test('lets its holder neither cancel nor dispose the owner of the signal, nor affect another holder', () => {
    const token = new CancellationToken();
    const log: Log = [];
    callback(log, CancellationToken.from(token.signal), 'other holder');
    const mine = CancellationToken.from(token.signal);
    expect(mine.cancel('mine')).toBe(true);
    mine.dispose();
    CancellationToken.from(token.signal).dispose();
    expect([token.isCancelled, token.signal.aborted, log]).toEqual([false, false, []]);
    token.cancel('owner');
    expect([log, token.signal.reason]).toEqual([['other holder'], 'owner']);
  });
});

test('each follower of a foreign signal is a token of its own', () => {
  const { signal } = new AbortController();
  expect(CancellationToken.from(signal)).not.toBe(CancellationToken.from(signal));
});

describe.each([['nothing', () => {}] as const, ...Object.entries(observers)])(
  'a follower observed by %s',
  (_, observe) => {
    test.each([0, 1, 3])('is cancelled with the reason of the signal, %i levels below', (depth) => {
      const controller = new AbortController();
      const token = chainBelow(CancellationToken.from(controller.signal), depth);
      observe(token);
      expect(token.isCancelled).toBe(false);
      const reason = { why: 'because' };
      controller.abort(reason);
      expect(token.isCancelled).toBe(true);
      expect(token.reason).toBe(reason);
      expect(token.cancel('too late')).toBe(false);
    });

    test('is already cancelled when the signal had aborted before', () => {
      const token = CancellationToken.from(AbortSignal.abort('before'));
      observe(token);
      expect([token.isCancelled, token.reason]).toEqual([true, 'before']);
    });

    test('can be cancelled alone: the signal and the other followers stay active', () => {
      const controller = new AbortController();
      const [token, other] = [CancellationToken.from(controller.signal), CancellationToken.from(controller.signal)];
      observe(token);
      observe(other);
      expect(token.cancel('own')).toBe(true);
      expect([controller.signal.aborted, other.isCancelled]).toEqual([false, false]);
      controller.abort('signal');
      expect([token.reason, other.reason]).toEqual(['own', 'signal']);
    });

    test('is frozen by dispose', () => {
      const controller = new AbortController();
      const token = CancellationToken.from(controller.signal);
      const child = token.childToken();
      observe(token);
      token.dispose();
      controller.abort('why');
      expect([token.isCancelled, child.reason]).toEqual([false, 'why']);
    });
  },
);

test('an abort is detected by each read, even inside a listener that the signal calls earlier', () => {
  const controller = new AbortController();
  const log: Log = [];
  const token = CancellationToken.from(controller.signal);
  controller.signal.addEventListener('abort', () => log.push(`native: ${token.isCancelled}`));
  callback(log, token, 'callback');
  controller.abort();
  expect(log).toEqual(['callback', 'native: true']);
});

test('the callbacks of all followers run, each token in the order of its first observation', () => {
  const controller = new AbortController();
  const log: Log = [];
  const followers = [1, 2, 3].map(() => CancellationToken.from(controller.signal));
  for (const index of [2, 0, 1]) callback(log, followers[index] as CancellationToken, `follower ${index}`);
  controller.abort();
  expect(log).toEqual(['follower 2', 'follower 0', 'follower 1']);
});

describe('the listener on a foreign signal', () => {
  test('is added only when the token is observed', () => {
    const { signal } = new AbortController();
    const token = CancellationToken.from(signal);
    expect([token.isCancelled, token.childToken().isCancelled, listeners(signal)]).toEqual([false, false, 0]);
  });

  test('is a single one for any number of followers', () => {
    const { signal } = new AbortController();
    const followers = Array.from({ length: 1_000 }, () => CancellationToken.from(signal));
    for (const token of followers) token.childToken().onCancelled(() => {});
    expect(listeners(signal)).toBe(1);
  });

  test.each(['disposeRegistration', 'disposeToken', 'cancel'] as const)(
    'is removed with the last observer, by %s, and added again',
    (way) => {
      const controller = new AbortController();
      const { signal } = controller;
      const log: Log = [];
      const leave = [1, 2].map(() => {
        const token = CancellationToken.from(signal);
        const registration = token.childToken().onCancelled(() => {});
        return {
          disposeRegistration: () => registration.dispose(),
          disposeToken: () => registration.dispose() && token.dispose(),
          cancel: () => token.cancel(),
        };
      });
      leave[0]?.[way]();
      expect(listeners(signal)).toBe(1);
      leave[1]?.[way]();
      expect(listeners(signal)).toBe(0);
      callback(log, CancellationToken.from(signal), 'late');
      expect(listeners(signal)).toBe(1);
      controller.abort();
      expect([listeners(signal), log]).toEqual([0, ['late']]);
    },
  );

  test('is never added to a signal that has aborted', () => {
    const signal = AbortSignal.abort('before');
    const log: Log = [];
    callback(log, CancellationToken.from(signal), 'at once');
    expect([listeners(signal), log]).toEqual([0, ['at once']]);
  });
});

test('any object that behaves as an AbortSignal is followed', () => {
  class OtherSignal extends EventTarget {
    aborted = false;
    reason: unknown = undefined;
  }
  const other = new OtherSignal();
  const token = CancellationToken.from(other as unknown as AbortSignal);
  const log: Log = [];
  callback(log, token, 'callback');
  Object.assign(other, { aborted: true, reason: 'why' });
  other.dispatchEvent(new Event('abort'));
  expect([log, token.reason]).toEqual([['callback'], 'why']);
});

test.each([undefined, null, 1, 'signal', {}, new AbortController(), () => {}])('%s is refused', (wrong) => {
  expect(() => CancellationToken.from(wrong as never)).toThrow(TypeError);
});

test('the text of the refusal says what to pass instead', () => {
  expect(() => CancellationToken.from(new AbortController() as never)).toThrow(
    'expected an AbortSignal or a CancellationToken, got an AbortController; pass controller.signal, not the controller',
  );
});

test('a library can name its own call and option', () => {
  expect(() => CancellationToken.from(5 as never, 'save: signal')).toThrow(
    /^save: signal: expected an AbortSignal or a CancellationToken, got the number 5; write CancellationToken\.timeout\(5\)/,
  );
  expect(() => [5].map(CancellationToken.from as never)).toThrow(/^CancellationToken\.from: expected/);
});

test('a listener that stops the event does not silence a follower', () => {
  const controller = new AbortController();
  controller.signal.addEventListener('abort', (event) => event.stopImmediatePropagation());
  const log: Log = [];
  callback(log, CancellationToken.from(controller.signal), 'callback');
  CancellationToken.any([controller.signal]).onCancelled(() => log.push('any'));
  controller.signal.addEventListener('abort', () => log.push('a native listener'));
  controller.abort();
  expect(log).toEqual(['callback', 'any']);
});

test('a derived signal resists where the platform has no resistant listener', async () => {
  const { getBuiltinModule } = process;
  process.getBuiltinModule = (() => undefined) as never;
  try {
    vi.resetModules();
    const { CancellationToken } = await import('@quiesce/cancellation-token');
    const controller = new AbortController();
    controller.signal.addEventListener('abort', (event) => event.stopImmediatePropagation());
    const log: Log = [];
    const token = CancellationToken.from(controller.signal);
    callback(log, token, 'left').dispose();
    callback(log, token, 'callback');
    controller.abort('why');
    expect([log, token.reason]).toEqual([['callback'], 'why']);
  } finally {
    process.getBuiltinModule = getBuiltinModule;
    vi.resetModules();
  }
});

describe('signals of other libraries', () => {
  /** As node-abort-controller makes them: the listeners are those of an EventEmitter, which takes functions only. */
  const emitterSignal = () => {
    const emitter = new EventEmitter();
    const signal = {
      aborted: false,
      reason: undefined as unknown,
      addEventListener: emitter.on.bind(emitter),
      removeEventListener: emitter.off.bind(emitter),
    };
    const abort = (reason: unknown): void => {
      Object.assign(signal, { aborted: true, reason });
      emitter.emit('abort');
    };
    return { emitter, signal: signal as unknown as AbortSignal, abort };
  };

  test('may be event emitters', () => {
    const { emitter, signal, abort } = emitterSignal();
    const token = CancellationToken.from(signal);
    const seen: unknown[] = [];
    token.onCancelled(() => {}).dispose();
    expect(emitter.listenerCount('abort')).toBe(0);
    token.onCancelled((reason) => seen.push(reason));
    abort('stop');
    expect([seen, emitter.listenerCount('abort')]).toEqual([['stop'], 0]);
  });

  test('may fire twice and change their reason: the first one stays', () => {
    const { signal, abort } = emitterSignal();
    Object.assign(signal, { removeEventListener: () => {} });
    const token = CancellationToken.from(signal);
    token.onCancelled(() => {});
    abort('first');
    abort('second');
    expect([token.reason, CancellationToken.from(signal).reason]).toEqual(['first', 'first']);
  });
});
