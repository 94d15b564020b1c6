// A reader of stdout that closes when a program has ended is no error, at whatever moment it closes.
import { setImmediate as turn } from 'node:timers/promises';
import { type LogEvent, runMain } from '@quiesce/shutdown';
import { FakeProcess } from '@quiesce/testing';
import { expect, it } from 'vitest';

/** As `process.stdout`, which cannot be destroyed: each write without a reader fails, and its error follows its callback. */
class Unread {
  readonly writableLength = 0;
  readonly destroyed = false;
  readonly #listeners = new Set<() => void>();
  uncaught = 0;

  fail(): void {
    if (this.#listeners.size === 0) this.uncaught++;
    for (const listener of this.#listeners) listener();
  }

  write(_text: string, done?: () => void): boolean {
    queueMicrotask(() => {
      done?.();
      process.nextTick(() => this.fail());
    });
    return false;
  }

  on(_event: string, listener: () => void): this {
    this.#listeners.add(listener);
    return this;
  }

  off(_event: string, listener: () => void): this {
    this.#listeners.delete(listener);
    return this;
  }
}

it.each([
  ['when it flushes', 0],
  ['before it flushes, while the logger writes', 1],
  ['during the flush, for two writes', 2],
])('%s', async (_, before) => {
  const fake = new FakeProcess();
  const stdout = new Unread();
  Object.defineProperty(fake, 'stdout', { value: stdout });
  const logger = async ({ event }: LogEvent): Promise<void> => {
    // The program has ended when its report is logged. The steps before may take several iterations of the event loop.
    if (event !== 'report') return;
    await turn();
    for (let i = 0; i < before; i++) stdout.fail();
    await turn();
  };
  void runMain((_, shutdown) => void shutdown.hook('last', () => {}), { process: fake, logger, checks: false });
  expect(await fake.exited).toBe(0);
  await turn();
  expect(stdout.uncaught).toBe(0);
});
