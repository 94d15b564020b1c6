import { isError } from '@quiesce/internal';
import { host } from './host.ts';

/** Replaces control characters by spaces: they would move a cursor, end a line, or end a string of the system. */
export function oneLine(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, ' ');
}

/** Describes any thrown value in one line, also an error that was converted to plain data. Never throws. */
export function describeError(error: unknown): string {
  try {
    const text = isError(error) || hasText(error, 'message') ? error.message || error.name : String(error);
    return oneLine((text.split('\n')[0] as string).slice(0, 200));
  } catch {
    return 'something that cannot be printed';
  }
}

/** Prints any thrown value, with its stack and its causes. Never throws. */
export function printError(error: unknown): string {
  try {
    if (!isError(error) && hasText(error, 'stack')) return error.stack as string;
    return host.getBuiltinModule('node:util').inspect(error);
  } catch {
    return describeError(error);
  }
}

/** Whether a value has a text as this property, as an error or its plain data has. */
function hasText(value: unknown, key: 'message' | 'stack'): value is Error {
  return typeof (value as Partial<Error> | null | undefined)?.[key] === 'string';
}
