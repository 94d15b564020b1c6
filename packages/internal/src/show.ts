/** Names what was passed instead of what was wanted, for error texts: `undefined`, `Number`, `AbortController`. */
export function show(value: unknown): string {
  return value === undefined || value === null ? String(value) : value.constructor?.name || typeof value;
}
