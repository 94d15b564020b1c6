// Code in the documentation is executed. Where it cannot be, it says who runs it instead, or why nobody does.
import { existsSync } from 'node:fs';
import { codeOf, type Page, type Problem } from './markdown.ts';

/** Languages whose code has to run. */
const program = /^([cm]?[jt]sx?|typescript|javascript|node)$/;

/**
 * Fences that nobody executes.
 *
 * @param pages what is read
 * @param executed the places of the fences that the tests execute
 * @param root where the files are that say `<!-- run by test/… -->`
 */
export function unexecutedCode(pages: readonly Page[], executed: ReadonlySet<string>, root: string): Problem[] {
  return pages.flatMap((page) =>
    codeOf(page).flatMap(({ place, language, note }) => {
      const text = complaint(language, note, executed.has(place), root);
      return text === undefined ? [] : [{ place, text }];
    }),
  );
}

function complaint(language: string, note: string | undefined, isExecuted: boolean, root: string): string | undefined {
  if (language === '') return 'this fence does not say its language; plain text is `text`';
  if (!program.test(language) || isExecuted) return undefined;
  const [, runner] = /^run by (\S+)$/.exec(note ?? '') ?? [];
  if (runner !== undefined) return existsSync(`${root}${runner}`) ? undefined : `there is no ${runner} to run this`;
  if (/^not run: \S.{15,}/.test(note ?? '')) return undefined;
  return `nothing runs this \`${language}\`: make it \`ts\`, or put above it "<!-- run by FILE -->" or "<!-- not run: REASON -->"`;
}
