import { ignore } from './functions.ts';

/** As many arguments as take 4 KiB of the stack, several times the need of marking and notifying. */
const ROOM: readonly undefined[] = /* @__PURE__ */ Array.from<undefined>({ length: 512 });
/** The same for the first call, which also has to compile the functions. */
let room: readonly undefined[] = /* @__PURE__ */ Array.from<undefined>({ length: 8192 });

/**
 * Throws the RangeError of a stack that is about to overflow, before anything has changed. A cleanup at the end of a runaway
 * recursion must not leave the tree half updated for all other tokens.
 */
export function reserveStack(): void {
  // Not a recursion of many calls, which optimisers shorten.
  ignore.apply(undefined, room as []);
  room = ROOM;
}

/** Gives an error the frames of another one, which was created while the caller was still on the stack. */
export function withFramesOf<E extends Error>(error: E, { stack }: Error): E {
  const frames = typeof stack === 'string' ? stack.indexOf('\n    at ') : -1;
  if (frames < 0) return error;
  const value = `${error.name}: ${error.message}${stack?.slice(frames)}`;
  return Object.defineProperty(error, 'stack', { value, configurable: true, writable: true });
}

/** The members of V8's `Error` that are used here; current Safari and Firefox have them, too. */
interface StackCapture {
  captureStackTrace?(holder: { stack?: string }, above: unknown): void;
}

/**
 * Returns where `above` was called: the innermost line of the stack above it, as the engine prints it.
 *
 * @returns `undefined` where the engine cannot leave frames out, keeps no stacks, or formats them in another way
 */
export function callSite(above: unknown): string | undefined {
  const holder: { stack?: string } = {};
  let stack: unknown;
  try {
    (Error as StackCapture).captureStackTrace?.(holder, above);
    stack = holder.stack;
  } catch {
    // The program's own Error.prepareStackTrace has failed, which must not fail the call.
  }
  if (typeof stack !== 'string') return undefined;
  const line = stack.split('\n').find((text) => /:\d+\)?$/.test(text));
  return line?.trim().replace(/^at /, '');
}
