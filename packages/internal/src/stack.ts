/** As many arguments as take 4 KiB of the stack, which is several times what it takes to mark, to tell and to notify. */
const ROOM: readonly undefined[] = /* @__PURE__ */ Array.from<undefined>({ length: 512 });
/** The same for what also has to be compiled, which is so when it is called first. */
let room: readonly undefined[] = /* @__PURE__ */ Array.from<undefined>({ length: 8192 });

/**
 * Throws the RangeError of a stack that is about to overflow, before anything has changed: a cleanup that runs at the end
 * of a runaway recursion must not leave the tree half done for everybody else.
 */
export function reserveStack(): void {
  // Not a recursion of so many calls, which optimisers turn into few.
  nothing.apply(undefined, room as []);
  room = ROOM;
}

/** Gives an error the frames of another one, which was made where the caller was still on the stack. */
export function withFramesOf<E extends Error>(error: E, { stack }: Error): E {
  const frames = typeof stack === 'string' ? stack.indexOf('\n    at ') : -1;
  if (frames < 0) return error;
  const value = `${error.name}: ${error.message}${stack?.slice(frames)}`;
  return Object.defineProperty(error, 'stack', { value, configurable: true, writable: true });
}

function nothing(): void {}
