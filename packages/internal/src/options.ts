import { show } from './show.ts';

/** What other libraries call an option of ours, in small letters. */
const synonyms: Readonly<Record<string, string>> = {
  token: 'signal',
  abortsignal: 'signal',
  canceltoken: 'signal',
  cancellationtoken: 'signal',
};

/**
 * Refuses options that a call does not know. Only own, enumerable properties count as options.
 *
 * @param call the call that the user wrote, such as `select` or `new CancellationToken`
 * @param options what the user passed; `undefined` and `null` stand for no options
 * @param known the names of all options of the call
 * @throws TypeError for anything but an object, for a token or signal in place of the options, and for an unknown option;
 *   the text names the most similar option
 */
export function checkOptions(call: string, options: unknown, known: readonly string[]): void {
  if (options === undefined || options === null) return;
  const isSignal = typeof options === 'object' && isCanceller(options);
  if (typeof options !== 'object' || Array.isArray(options) || isSignal) {
    const hint = isSignal && known.includes('signal') ? ': write { signal }' : '';
    throw new TypeError(`${call}: the options must be an object, got ${show(options)}${hint}`);
  }
  for (const key in options) {
    if (known.includes(key) || !Object.hasOwn(options, key)) continue;
    const similar = mostSimilar(key, known);
    const hint =
      similar === undefined
        ? `the options are ${known.map((name) => JSON.stringify(name)).join(', ')}`
        : `did you mean ${JSON.stringify(similar)}?`;
    throw new TypeError(`${call}: there is no option ${JSON.stringify(key)}; ${hint}`);
  }
}

/** Whether `value` is a token, a scope, a task or an `AbortSignal`. */
function isCanceller(value: object): boolean {
  return 'aborted' in value || 'isCancelled' in value;
}

function mostSimilar(key: string, known: readonly string[]): string | undefined {
  const wanted = key.toLowerCase();
  const synonym = Object.hasOwn(synonyms, wanted) ? synonyms[wanted] : undefined;
  if (synonym !== undefined && known.includes(synonym)) return synonym;
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

/** How many letters must be added, removed or replaced to turn one word into the other. */
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
