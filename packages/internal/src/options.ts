import { checkKind, checkTime } from './check.ts';
import { show } from './show.ts';

/** Names that other libraries use for the option `signal`, in small letters. */
const signalNames: readonly string[] = ['token', 'abortsignal', 'canceltoken', 'cancellationtoken'];

/**
 * Refuses unknown options, and options of the wrong kind. A `name` is a string, a `clock` is a Clock, and each name that ends
 * in `timeout` is a time. Signals are checked by `CancellationToken.from`. Only own, enumerable properties count.
 *
 * @param call the call that the user wrote, such as `select` or `new CancellationToken`
 * @param options the value that the user passed; `undefined` stands for no options
 * @param known the names of all options of the call, flags excepted
 * @param flags the names of the options that are true or false
 * @throws TypeError for anything but an object, for a token or signal in place of the options, for an option of the wrong
 *   kind, and for an unknown one; the text names the most similar option. RangeError for a time that is negative or NaN
 */
export function checkOptions(
  call: string,
  options: unknown,
  known: readonly string[],
  flags: readonly string[] = none,
): void {
  if (options === undefined) return;
  if (typeof options !== 'object' || options === null) throw wrongOptions(call, options, known);
  let isEmpty = true;
  for (const key in options) {
    const isKnown = known.includes(key);
    if (!isKnown && !flags.includes(key)) {
      if (Object.hasOwn(options, key)) throw unknownOption(call, options, key, [...known, ...flags]);
      continue;
    }
    isEmpty = false;
    const value = (options as Record<string, unknown>)[key];
    if (value === undefined || key === 'signal') continue;
    const what = `${call}: ${key}`;
    if (!isKnown) checkKind(typeof value === 'boolean', what, 'true or false', value);
    else if (key === 'name') checkKind(typeof value === 'string', what, 'a string', value);
    else if (key === 'clock') checkKind(typeof Object(value).setTimer === 'function', what, 'a Clock', value);
    else if (key.endsWith('imeout')) checkTime(what, value as number);
  }
  if (isEmpty && isOtherObject(options)) throw wrongOptions(call, options, known);
}

const none: readonly string[] = [];

/** Whether an object without options is of another kind: an `AbortSignal`, a Date, a promise, a Map. */
function isOtherObject(options: object): boolean {
  if (Object.getPrototypeOf(options) === Object.prototype) return false;
  return !/Object|Module/.test(Object.prototype.toString.call(options));
}

/** The option that is probably meant by a single value in place of the options, by the type of the value. */
const optionByType: Readonly<Record<string, readonly string[]>> = {
  object: ['signal'],
  number: ['concurrency', 'timeout'],
  string: ['name'],
};

function wrongOptions(call: string, options: unknown, known: readonly string[]): TypeError {
  const isObject = typeof options === 'object';
  const names = isObject && !(options !== null && isCanceller(options)) ? none : (optionByType[typeof options] ?? none);
  const name = names.find((name) => known.includes(name));
  const hint = name === undefined ? '' : `: write { ${name}${isObject ? '' : `: ${JSON.stringify(options)}`} }`;
  return new TypeError(`${call}: the options must be an object, got ${show(options)}${hint}`);
}

function unknownOption(call: string, options: object, key: string, all: readonly string[]): TypeError {
  if (Array.isArray(options) || isCanceller(options)) return wrongOptions(call, options, all);
  const similar = mostSimilar(key, all);
  const hint =
    similar === undefined
      ? `the options are ${all.map((name) => JSON.stringify(name)).join(', ')}`
      : `did you mean ${JSON.stringify(similar)}?`;
  return new TypeError(`${call}: there is no option ${JSON.stringify(key)}; ${hint}`);
}

/** Whether `value` is a token, a scope, a task or an `AbortSignal`. */
function isCanceller(value: object): boolean {
  return 'aborted' in value || 'isCancelled' in value;
}

function mostSimilar(key: string, known: readonly string[]): string | undefined {
  const wanted = key.toLowerCase();
  if (signalNames.includes(wanted) && known.includes('signal')) return 'signal';
  let least = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  let best: string | undefined;
  for (const name of known) {
    const lower = name.toLowerCase();
    const isPart = lower.startsWith(wanted) || wanted.startsWith(lower);
    const distance = isPart ? Math.min(1, wanted.length - lower.length) : editDistance(wanted, lower);
    if (distance >= least) continue;
    least = distance;
    best = name;
  }
  return best;
}

/** Returns how many letters must be added, removed or replaced to change one word into the other. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
