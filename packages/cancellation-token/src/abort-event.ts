/** The `abort` event of native signals, with Node's extensions of the standard. */

/** The members of `node:events` that are used here. It refuses the signals of pages that are simulated in Node. */
interface NodeEvents {
  setMaxListeners?(n: number, target: AbortSignal): void;
  addAbortListener?(signal: AbortSignal, listener: () => void): unknown;
}

function nodeEvents(): NodeEvents | undefined {
  const host = globalThis as unknown as { process?: { getBuiltinModule?: (id: string) => unknown } };
  return host.process?.getBuiltinModule?.('node:events') as NodeEvents | undefined;
}

/** Lifts Node's warning limit of ten listeners, which does not fit a token. Other platforms have no such limit. */
export function liftListenerLimit(signal: AbortSignal): void {
  try {
    // Not 0, which has the same meaning: Node 20 then throws in `getMaxListeners`, which undici calls.
    nodeEvents()?.setMaxListeners?.(Number.POSITIVE_INFINITY, signal);
  } catch {
    // A signal of happy-dom or jsdom, which has no such limit.
  }
}

/**
 * Listens to a signal so that no other listener can prevent it: `stopImmediatePropagation` silences all later listeners.
 *
 * Node has a function for that, for its own signals. Elsewhere a signal is derived, whose event no other listener sees. Pages
 * that are simulated in Node derive by a plain listener. There the signal itself gets a capturing listener, too, which runs
 * before all that do not capture.
 *
 * @param listener may be called twice
 * @returns a function that removes the listener
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
 * The class whose objects Node's function can listen to in this way: its own `EventTarget`. Only Node does that; other
 * platforms have a function of the same name. `null`: there is none.
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
    // If anything is missing here, the standard way is used.
  }
  return found ?? undefined;
}
