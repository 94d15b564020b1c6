// Runs on every runtime.
import { explore } from '@quiesce/testing';
import { expect, it } from 'vitest';

const { process } = globalThis as { process?: { readonly versions?: Readonly<Record<string, string>> } };
const { node, bun, deno } = process?.versions ?? {};
const isNode =
  node !== undefined &&
  bun === undefined &&
  deno === undefined &&
  !('navigator' in globalThis && /Workers/.test(navigator.userAgent));

it.runIf(isNode)('explore explores on Node', async () => {
  expect((await explore(async () => {})).scheduleCount).toBe(1);
});

it.skipIf(isNode)('explore refuses other runtimes by name', async () => {
  await expect(explore(async () => {})).rejects.toThrow('explore: this runtime does not show when promises run');
});
