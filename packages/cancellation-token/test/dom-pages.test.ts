// What vitest's happy-dom environment and jest's jsdom environment do: the page's AbortController replaces that of Node.
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

test('the signal of a token is one of the page, which its elements take', () => {
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
  token.onCancelled(() => seen.push('left')).unregister();
  token.onCancelled((reason) => seen.push(reason));
  controller.abort('page');
  expect(seen).toEqual(['page']);
});
