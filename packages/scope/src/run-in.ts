import { consumeSlice } from '@quiesce/cancellation-token';
import type { Life } from './life.ts';

/** The whole life of a scope with a body. */
export async function runIn<T>(life: Life, body: () => T, isCleanup = false): Promise<Awaited<T>> {
  life.begin(body, isCleanup);
  await life.over;
  const turn = consumeSlice();
  if (turn !== undefined) await turn;
  return life.result() as Awaited<T>;
}
