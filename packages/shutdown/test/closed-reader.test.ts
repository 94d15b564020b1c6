// A reader of stdout that closes when a program has ended is no error, at whatever moment it closes.
import { setImmediate as turn } from 'node:timers/promises';
import { type LogEvent, runMain } from '@quiesce/shutdown';
import { FakeProcess } from '@quiesce/testing';
import { expect, it, onTestFinished, vi } from 'vitest';

/** As `process.stdout`, which cannot be destroyed: each write without a reader fails, and its error follows its callback. */
class Unread {
  readonly writableLength = 0;
  readonly destroyed = false;
  readonly #listeners = new Set<(error: unknown) => void>();
  uncaught = 0;

  fail(code = 'EPIPE'): void {
    if (this.#listeners.size === 0) this.uncaught++;
    const error = Object.assign(new Error(`write ${code}`), { code, syscall: 'write' });
    for (const listener of this.#listeners) listener(error);
  }

  write(_text: string, done?: () => void): boolean {
    queueMicrotask(() => {
      done?.();
      process.nextTick(() => this.fail());
    });
    return false;
  }

  on(_event: string, listener: (error: unknown) => void): this {
    this.#listeners.add(listener);
    return this;
  }

  off(_event: string, listener: (error: unknown) => void): this {
    this.#listeners.delete(listener);
    return this;
  }
}

it.each([
  ['when it flushes', 0],
  ['when it flushes, and once before, while the logger writes', 1],
  ['when it flushes, and twice before', 2],
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

it('a full disk is an error, and is named', async () => {
  const fake = new FakeProcess();
  const stdout = new Unread();
  Object.defineProperty(fake, 'stdout', { value: stdout });
  const written: string[] = [];
  vi.spyOn(process.getBuiltinModule('node:fs'), 'writeSync').mockImplementation((_, text) => {
    written.push(String(text));
    return 0;
  });
  onTestFinished(() => void vi.restoreAllMocks());
  const logger = async ({ event }: LogEvent): Promise<void> => {
    if (event !== 'report') return;
    await turn();
    stdout.fail('ENOSPC');
  };
  void runMain((_, shutdown) => void shutdown.hook('last', () => {}), { process: fake, logger, checks: false });
  expect(await fake.exited).toBe(1);
  expect(written).toEqual(['runMain: output could not be written: write ENOSPC\n']);
});
