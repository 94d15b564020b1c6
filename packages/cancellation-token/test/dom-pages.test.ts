// As in vitest's happy-dom environment and jest's jsdom environment: the page's AbortController replaces that of Node.
import { CancellationToken } from '@quiesce/cancellation-token';
import { Window } from 'happy-dom';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';

const page = new Window();
beforeAll(() => {
  vi.stubGlobal('AbortController', page.AbortController);
  vi.stubGlobal('AbortSignal', page.AbortSignal);
});
afterAll(async () => {
  vi.unstubAllGlobals();
  await page.happyDOM.close();
});

test('the signal of a token belongs to the page, whose elements accept it', () => {
  const token = new CancellationToken();
  const { signal } = token;
  expect(signal).toBeInstanceOf(page.AbortSignal);
  const button = page.document.createElement('button');
  let clicks = 0;
  button.addEventListener('click', () => void clicks++, { signal: signal as never });
  button.click();
  token.cancel('gone');
  button.click();
  expect([clicks, signal.aborted, signal.reason]).toEqual([1, true, 'gone']);
});

test('a signal of the page is followed', () => {
  const controller = new AbortController();
  const seen: unknown[] = [];
  const token = CancellationToken.from(controller.signal);
  token.onCancelled(() => seen.push('left')).dispose();
  token.onCancelled((reason) => seen.push(reason));
  controller.abort('page');
  expect(seen).toEqual(['page']);
});

const stop = (event: { stopImmediatePropagation(): void }): void => event.stopImmediatePropagation();

test.each([
  ['in place of that of the platform', false],
  ['beside that of the platform', true],
])('a listener of a page that stops the event does not silence a token: %s', async (_, isBeside) => {
  if (isBeside) vi.unstubAllGlobals();
  vi.resetModules();
  try {
    const { CancellationToken } = await import('@quiesce/cancellation-token');
    for (const controller of [new page.AbortController(), new AbortController()]) {
      controller.signal.addEventListener('abort', stop);
      const seen: unknown[] = [];
      const token = CancellationToken.from(controller.signal as never);
      token.onCancelled(() => seen.push('left')).dispose();
      token.onCancelled((reason) => seen.push(reason));
      controller.abort('page');
      expect(seen).toEqual(['page']);
    }
  } finally {
    vi.resetModules();
    vi.stubGlobal('AbortController', page.AbortController);
    vi.stubGlobal('AbortSignal', page.AbortSignal);
  }
});

test('a token that is no longer observed has removed its listener from a signal of a page', () => {
  const { signal } = new page.AbortController();
  let listeners = 0;
  const { addEventListener: add, removeEventListener: remove } = signal;
  signal.addEventListener = (...args) => {
    listeners++;
    add.apply(signal, args);
  };
  signal.removeEventListener = (...args) => {
    listeners--;
    remove.apply(signal, args);
  };
  const registration = CancellationToken.from(signal as never).onCancelled(() => {});
  const observed = listeners;
  registration.dispose();
  expect(listeners).toBe(observed - 1);
});
