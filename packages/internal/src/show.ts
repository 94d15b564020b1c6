/** How many characters of a string an error shows. */
const SHOWN = 60;

/**
 * Names a value with its type, for error texts: `undefined`, `the string "10"`, `the number -1`, `an AbortController`. Never
 * throws.
 */
export function show(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  const type = typeof value;
  if (typeof value === 'string') {
    return `the string ${JSON.stringify(value.length > SHOWN ? `${value.slice(0, SHOWN)}…` : value)}`;
  }
  const name = nameShown(value);
  if (type === 'function') return name === '' ? 'a function' : `the function ${JSON.stringify(name)}`;
  if (type !== 'object') return `the ${type} ${String(value)}`;
  if (Array.isArray(value)) return 'an array';
  if (name === '' || name === 'Object') return 'an object';
  return `${/^[AEIOU]/.test(name) ? 'an' : 'a'} ${name}`;
}

/** Converts any value to a string. Never throws. */
export function toText(value: unknown): string {
  try {
    return String(value);
  } catch {
    return `one that cannot be printed (${typeof value})`;
  }
}

/** Returns the name of a function, or of the class of an object; empty where there is none or reading it fails. */
function nameShown(value: unknown): string {
  try {
    const named = typeof value === 'function' ? value : (value as { constructor?: unknown }).constructor;
    const name: unknown = (named as { name?: unknown } | undefined)?.name;
    return typeof name === 'string' ? name : '';
  } catch {
    return '';
  }
}
