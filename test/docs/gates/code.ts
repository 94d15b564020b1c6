// Code in the documentation is executed. Where it cannot be, it says who runs it instead, or why nobody does.
import { existsSync } from 'node:fs';
import { type Code, codeOf, lineAt, type Page, type Problem, proseOf } from './markdown.ts';

/** What is no program of ours: commands, output, data, and what other languages' users know. All else has to run. */
const plain = /^(sh|text|json|yaml|html|css|diff|go|kotlin|python|rust)$/;
/** What looks like a fence: in a quotation, behind the mark of a list, with tildes, or never closed. */
const fenceLike = /^[ \t]*(?:\* ?)?[ \t]*(?:(?:>|[-+*]|\d+[.)])[ \t]*)*(?:`{3,}|~{3,})|<(?:pre|code)\b/gim;
/** What looks like a promise, and is compared with nothing. */
const idlePromise = /\/\/(?! => \S)[ \t]*(?:[-=]>|→|⇒).*/g;

/**
 * Fences that nobody executes, and what they only seem to promise.
 *
 * @param pages what is read
 * @param executed the places of the fences that the tests execute
 * @param root where the files are that say `<!-- run by test/… -->`
 */
export function unexecutedCode(pages: readonly Page[], executed: ReadonlySet<string>, root: string): Problem[] {
  return pages.flatMap((page) => {
    const fences = codeOf(page).flatMap((code) => complaints(code, executed.has(code.place), root));
    const unseen = [...proseOf(page).matchAll(fenceLike)].map(({ index }) => ({
      place: `${page.file}:${lineAt(page.text, index)}`,
      text: 'nobody reads this as code: write a fence of three backticks at the beginning of its line, and close it',
    }));
    return [...fences, ...unseen];
  });
}

function complaints(code: Code, isExecuted: boolean, root: string): Problem[] {
  const text = complaint(code, isExecuted, root);
  if (text !== undefined) return [{ place: code.place, text }];
  if (!isExecuted) return [];
  return [...code.text.matchAll(idlePromise)].map(([promise]) => ({
    place: code.place,
    text: `nothing compares "${promise}": a promise is written "// => …"`,
  }));
}

function complaint({ language, note }: Code, isExecuted: boolean, root: string): string | undefined {
  if (language === '') return 'this fence does not say its language; plain text is `text`';
  if (plain.test(language) || isExecuted) return undefined;
  const [, runner] = /^run by (\S+)$/.exec(note ?? '') ?? [];
  if (runner !== undefined) return existsSync(`${root}${runner}`) ? undefined : `there is no ${runner} to run this`;
  if (/^not run: \S.{15,}/.test(note ?? '')) return undefined;
  return `nothing runs this \`${language}\`: make it \`ts\`, or put above it "<!-- run by FILE -->" or "<!-- not run: REASON -->"`;
}
