// The stack of an error shows the calling function, also when a timer makes the error.
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { Scope, scope } from '@quiesce/scope';
import { select, selectEach, sleep } from '@quiesce/select';
import { expect, test } from 'vitest';

const deaf = (): Promise<never> => new Promise(() => {});
const clock = new VirtualClock();
const limit = { cleanupTimeout: 5, clock };
const tick = (): Promise<unknown> => sleep(1, { clock }).then(() => 1);

const calls: Record<string, () => Promise<unknown>> = {
  'select whose loser does not end': async function whoWaits() {
    await select({ deaf, tick: tick() }, limit);
  },
  'selectEach whose function does not end when the loop is left': async function whoWaits() {
    for await (const _ of selectEach({ deaf, tick: tick() }, limit)) break;
  },
  'select whose branches are all off': async function whoWaits() {
    await select({ off: false });
  },
  'a scope whose task does not end': async function whoWaits() {
    await scope(async (s) => {
      s.spawn(deaf);
      s.cancel();
    }, limit);
  },
  'close of a scope whose task does not end': async function whoWaits() {
    const s = new Scope(limit);
    s.spawn(deaf);
    await s.close();
  },
};

test.each(Object.entries(calls))('the error of %s shows the waiting function', async (_, call) => {
  const failed = call().catch((error: Error) => error);
  await clock.advance(100);
  const error = (await failed) as Error;
  expect(error.name).toMatch(/^(CleanupTimeoutError|SelectError)$/);
  expect(error.stack).toMatch(/whoWaits/);
  expect(error.stack?.split('\n')[0]).toContain(`${error.name}: ${error.message}`.split('\n')[0]);
});
