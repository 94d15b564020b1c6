// What tests find under the name `setImmediate`. Packages do without it where there is none; tests use it as "a real turn".
type SetImmediate = (callback: (...args: unknown[]) => void, ...args: unknown[]) => unknown;

function byMessage(): SetImmediate {
  const { port1, port2 } = new MessageChannel();
  const waiting: (() => void)[] = [];
  port1.onmessage = () => waiting.shift()?.();
  return (callback, ...args) => {
    waiting.push(() => callback(...args));
    port2.postMessage(undefined);
  };
}

let fallback: SetImmediate | undefined;

/** One turn of the event loop, on every runtime. Looked up at each call, since tests take it away. */
export const setImmediate: SetImmediate = (callback, ...args) => {
  const native = (globalThis as { setImmediate?: SetImmediate }).setImmediate;
  if (native !== undefined) return native(callback, ...args);
  fallback ??= byMessage();
  return fallback(callback, ...args);
};
