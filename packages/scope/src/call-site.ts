/** The part of V8's API that is used here. Current versions of Safari and Firefox have it as well. */
interface Stacks {
  captureStackTrace?(holder: { stack?: string }, above: unknown): void;
}

/**
 * Returns the line that called `above`: the innermost frame of the stack above it, as the engine prints it.
 *
 * @returns the line; `undefined` where the engine cannot leave frames out, keeps none, or where
 *   `Error.prepareStackTrace` returns something other than a string
 */
export function siteAbove(above: unknown): string | undefined {
  const holder: { stack?: string } = {};
  let stack: unknown;
  try {
    (Error as Stacks).captureStackTrace?.(holder, above);
    stack = holder.stack;
  } catch {
    // The program's own Error.prepareStackTrace threw. That is no reason to fail a spawn.
  }
  if (typeof stack !== 'string') return undefined;
  const line = stack.split('\n').find((line) => /:\d+\)?$/.test(line));
  return line?.trim().replace(/^at /, '');
}
