import { host } from './host.ts';

/**
 * Detects signals that the process sends to itself. After its cleanup, a framework often sends the signal again to end the
 * process. A signal does not identify its sender, so `process.kill` is wrapped while a shutdown is installed.
 */

type OnOwnSignal = (signal: string) => void;

const listeners = new Set<OnOwnSignal>();
let kill = host.kill;
/** Whether `process.kill` is our wrapper, or a wrapper of another library around ours. */
let isWatched = false;

/** Calls a function with each signal that this process sends to itself or to its process group. Returns how to stop that. */
export function onOwnSignal(listener: OnOwnSignal): () => void {
  listeners.add(listener);
  if (!isWatched || host.kill === kill) {
    kill = host.kill;
    host.kill = watchedKill;
    isWatched = true;
    // For `import { kill } from 'node:process'`.
    host.getBuiltinModule('node:module').syncBuiltinESMExports();
  }
  return () => {
    listeners.delete(listener);
    // A wrapper of another library still calls ours, which then only passes calls on.
    if (listeners.size > 0 || host.kill !== watchedKill) return;
    host.kill = kill;
    isWatched = false;
  };
}

function watchedKill(pid: number, signal?: string | number): true {
  const result = Reflect.apply(kill, host, [pid, signal]);
  // The signal arrives in a later iteration of the event loop.
  if (Number(pid) === host.pid || Number(pid) === 0 || Number(pid) === -host.pid) {
    const name = signalName(signal);
    if (name !== undefined) for (const listener of listeners) listener(name);
  }
  return result;
}

/** Returns the name of a signal, or `undefined` for 0, which sends none. */
function signalName(signal: string | number = 'SIGTERM'): string | undefined {
  if (typeof signal === 'string') return signal;
  const { signals } = host.getBuiltinModule('node:os').constants;
  return Object.entries(signals).find(([, number]) => number === signal)?.[0];
}
