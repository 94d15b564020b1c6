import { host } from './host.ts';
import type { ProcessLike } from './process-like.ts';

/**
 * Detects signals that the process sends to itself. After its cleanup, a framework often sends the signal again to end the
 * process. A signal does not identify its sender, so `process.kill` is wrapped while a shutdown is installed.
 */

type OnOwnSignal = (signal: string) => void;
type Kill = ProcessLike['kill'];

/** The wrapper of the `kill` of one process. */
interface Wrapper {
  readonly listeners: Set<OnOwnSignal>;
  readonly watchedKill: Kill;
  kill: Kill;
  /** Whether `process.kill` is our wrapper, or a wrapper of another library around ours. */
  isWatched: boolean;
}

const wrappers = new WeakMap<ProcessLike, Wrapper>();

/** Calls a function with each signal that a process sends to itself or to its process group. Returns how to stop that. */
export function onOwnSignal(process: ProcessLike, listener: OnOwnSignal): () => void {
  const wrapper = wrappers.get(process) ?? createWrapper(process);
  const { listeners, watchedKill } = wrapper;
  listeners.add(listener);
  if (!wrapper.isWatched || process.kill === wrapper.kill) {
    wrapper.kill = process.kill;
    process.kill = watchedKill;
    wrapper.isWatched = true;
    // For `import { kill } from 'node:process'`.
    host.getBuiltinModule('node:module').syncBuiltinESMExports();
  }
  return () => {
    listeners.delete(listener);
    // A wrapper of another library still calls ours, which then only passes calls on.
    if (listeners.size > 0 || process.kill !== watchedKill) return;
    process.kill = wrapper.kill;
    wrapper.isWatched = false;
  };
}

function createWrapper(process: ProcessLike): Wrapper {
  const listeners = new Set<OnOwnSignal>();
  const watchedKill = (pid: number, signal?: string | number): unknown => {
    const result: unknown = Reflect.apply(wrapper.kill, process, [pid, signal]);
    // The signal arrives in a later iteration of the event loop.
    if (Number(pid) === 0 || Math.abs(pid) === process.pid) {
      const name = signalName(signal);
      if (name !== undefined) for (const listener of listeners) listener(name);
    }
    return result;
  };
  const wrapper: Wrapper = { listeners, watchedKill, kill: process.kill, isWatched: false };
  wrappers.set(process, wrapper);
  return wrapper;
}

/** Returns the name of a signal, or `undefined` for 0, which sends none. */
function signalName(signal: string | number = 'SIGTERM'): string | undefined {
  if (typeof signal === 'string') return signal;
  const { signals } = host.getBuiltinModule('node:os').constants;
  return Object.entries(signals).find(([, number]) => number === signal)?.[0];
}
