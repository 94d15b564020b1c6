/** What we need of V8; Safari and Firefox have it as well by now. */
interface Stacks {
  captureStackTrace?(holder: { stack?: string }, above: unknown): void;
}

/**
 * Where `above` was called: the innermost line of the stack above it, as the engine prints it.
 *
 * @returns `undefined` where the engine cannot leave frames out, or was told to keep none
 */
export function siteAbove(above: unknown): string | undefined {
  const holder: { stack?: string } = {};
  (Error as Stacks).captureStackTrace?.(holder, above);
  const line = holder.stack?.split('\n').find((line) => /:\d+\)?$/.test(line));
  return line?.trim().replace(/^at /, '');
}
