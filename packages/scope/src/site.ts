/** What we need of V8; Safari and Firefox have it as well by now. */
interface Stacks {
  captureStackTrace?(holder: { stack?: string }, above: unknown): void;
}

/**
 * Where `above` was called: the innermost line of the stack above it, as the engine prints it.
 *
 * @returns `undefined` where the engine cannot leave frames out, was told to keep none, or to make something else of them
 */
export function siteAbove(above: unknown): string | undefined {
  const holder: { stack?: string } = {};
  let stack: unknown;
  try {
    (Error as Stacks).captureStackTrace?.(holder, above);
    stack = holder.stack;
  } catch {
    // The program's own Error.prepareStackTrace has failed: nothing to fail a spawn for.
  }
  if (typeof stack !== 'string') return undefined;
  const line = stack.split('\n').find((line) => /:\d+\)?$/.test(line));
  return line?.trim().replace(/^at /, '');
}
