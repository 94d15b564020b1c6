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
 * Node has a function for that. Elsewhere a signal of our own is derived, whose event nobody else sees; where that is not
 * possible either, the listener is a plain one.
 *
 * @param listener is also what `removeEventListener` of the signal that is returned takes
 * @returns the signal that has the listener
 */
export function listenToAbort(signal: AbortSignal, listener: () => void): AbortSignal {
  if (resists()) {
    nodeEvents()?.addAbortListener?.(signal, listener);
    return signal;
  }
  const target = derive(signal);
  target.addEventListener('abort', listener);
  return target;
}

function derive(signal: AbortSignal): AbortSignal {
  try {
    // The class of the signal, which may be that of a page or of another realm.
    return (signal.constructor as Partial<typeof AbortSignal>).any?.([signal]) ?? signal;
  } catch {
    return signal;
  }
}

/** Whether the listeners that Node's function adds resist. Node alone does that; others have a function of that name. */
let isResistant: boolean | undefined;

function resists(): boolean {
  if (isResistant !== undefined) return isResistant;
  isResistant = false;
  try {
    const controller = new AbortController();
    controller.signal.addEventListener('abort', (event) => event.stopImmediatePropagation());
    nodeEvents()?.addAbortListener?.(controller.signal, () => {
      isResistant = true;
    });
    controller.abort(0);
  } catch {
    // Whatever is missing here, the standard will do.
  }
  return isResistant;
}
