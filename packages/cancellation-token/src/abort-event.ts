/** The `abort` event of native signals, with what Node knows beyond the standard. */

/** What we need of `node:events`. Pages that are simulated in Node have signals of their own, which it refuses. */
interface NodeEvents {
  setMaxListeners?(n: number, target: AbortSignal): void;
  addAbortListener?(signal: AbortSignal, listener: () => void): unknown;
}

function nodeEvents(): NodeEvents | undefined {
  const host = globalThis as unknown as { process?: { getBuiltinModule?: (id: string) => unknown } };
  return host.process?.getBuiltinModule?.('node:events') as NodeEvents | undefined;
}

/** Node warns from the eleventh listener on; a token has no such limit. Elsewhere there is none to lift. */
export function liftListenerLimit(signal: AbortSignal): void {
  try {
    nodeEvents()?.setMaxListeners?.(0, signal);
  } catch {
    // A signal of happy-dom or jsdom, which has no such limit.
  }
}

/**
 * Listens to a signal so that no other listener can prevent it: one that calls `stopImmediatePropagation` silences those
 * behind it.
 *
 * Node has a function for that, for signals that are its own. Elsewhere a signal is derived, whose event nobody else sees. Pages
 * that are simulated in Node derive by a plain listener, so there the signal itself has one, too, which captures: that goes
 * before all that do not.
 *
 * @param listener may be called twice
 * @returns what listens no longer
 */
export function listenToAbort(signal: AbortSignal, listener: () => void): () => void {
  const events = nodeEvents();
  const own = resistant();
  if (own !== undefined && signal instanceof own) {
    events?.addAbortListener?.(signal, listener);
    return () => signal.removeEventListener('abort', listener);
  }
  const target = derive(signal);
  const isSimulated = events !== undefined;
  target.addEventListener('abort', listener, isSimulated);
  if (isSimulated && target !== signal) signal.addEventListener('abort', listener, true);
  return () => {
    target.removeEventListener('abort', listener, isSimulated);
    if (target !== signal) signal.removeEventListener('abort', listener, isSimulated);
  };
}

function derive(signal: AbortSignal): AbortSignal {
  try {
    // The class of the signal, which may be that of a page or of another realm.
    return (signal.constructor as Partial<typeof AbortSignal>).any?.([signal]) ?? signal;
  } catch {
    return signal;
  }
}

/**
 * The class of those to which Node's function adds listeners that resist: its own `EventTarget`. Node alone does that; others
 * have a function of that name. `null`: none.
 */
let found: (new () => EventTarget) | null | undefined;

function resistant(): (new () => EventTarget) | undefined {
  if (found !== undefined) return found ?? undefined;
  found = null;
  try {
    const controller = new AbortController();
    const { signal } = controller;
    signal.addEventListener('abort', (event) => event.stopImmediatePropagation());
    nodeEvents()?.addAbortListener?.(signal, () => {
      found = Object.getPrototypeOf(signal.constructor) as typeof found;
    });
    controller.abort(0);
  } catch {
    // Whatever is missing here, the standard will do.
  }
  return found ?? undefined;
}
