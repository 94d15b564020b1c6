/**
 * The place of the handler for errors without a caller. It is on the global object, so that all copies of all packages share
 * one handler, including those that inline this file.
 */
const slot: unique symbol = Symbol.for('quiesce.uncaught') as never;

type Handler = (error: unknown) => void;
const host = globalThis as { [slot]?: Handler | undefined };

/** Replaces the handler; `undefined` stands for the platform's handling. Returns the previous handler. */
export function replaceUncaughtHandler(handler: Handler | undefined): Handler | undefined {
  const before = host[slot];
  Object.defineProperty(host, slot, { value: handler, configurable: true, writable: true });
  return before;
}

/**
 * Hands an error to the handler from a microtask, so that it never interrupts running code.
 *
 * @param fatal `false`: without a handler the error is printed and does not end the process
 */
export function reportError(error: unknown, fatal = true): void {
  // Not `reportError`: Deno would end the process inside the call, in the middle of a notification.
  queueMicrotask(() => {
    const handler = host[slot];
    if (handler !== undefined) handler(error);
    else if (fatal) throw error;
    // biome-ignore lint/suspicious/noConsole: the only place that every platform has for what is not fatal
    else console.error(error);
  });
}
