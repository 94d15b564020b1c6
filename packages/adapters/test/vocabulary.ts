export { gate } from '../../../test/gate.ts';

/** Returns what a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('The promise did not reject');
}

/** Waits until `read` returns `expected`. The limit of the test ends a wait that is in vain. */
export async function until<T>(read: () => T | Promise<T>, expected: T): Promise<void> {
  while ((await read()) !== expected) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Returns how many sockets and timers keep the process alive. */
export function openHandleCount(): number {
  return process.getActiveResourcesInfo().filter((kind) => /TCP|Timeout|Immediate/.test(kind)).length;
}
