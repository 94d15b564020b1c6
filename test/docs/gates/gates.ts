// Every gate over the whole project: what `npm run check` reports.
import { publicPackages, root } from '../../package/packages.ts';
import { facts, sizes } from '../facts.ts';
import { allFences } from '../fences.ts';
import { unexecutedCode } from './code.ts';
import { entries } from './entries.ts';
import { undocumented } from './exports.ts';
import { unconfirmedFigures } from './figures.ts';
import { misshapen } from './headings.ts';
import { deadLinks } from './links.ts';
import { type Page, type Problem, pageAt, pagesIn } from './markdown.ts';

/** One gate: what it asks for, and what does not pass. */
export interface Gate {
  readonly title: string;
  readonly problems: () => Promise<readonly Problem[]>;
}

/** The pages that people read: Markdown everywhere, and the docstrings of packages. */
function pages(): Page[] {
  const sources = publicPackages().flatMap(({ folder }) => pagesIn(root, `packages/${folder}/src`, ['.ts']));
  return [...markdown(), ...sources];
}

function markdown(): Page[] {
  const below = ['docs', 'packages', 'test', '.github', '.changeset'].flatMap((folder) =>
    pagesIn(root, folder, ['.md']),
  );
  return [pageAt(root, 'README.md'), ...below];
}

function readmes(): Page[] {
  return publicPackages().map(({ folder }) => pageAt(root, `packages/${folder}/README.md`));
}

export const gates: readonly Gate[] = [
  {
    title: 'all code is executed, or says why not',
    problems: async () => unexecutedCode(pages(), new Set(allFences().map(({ place }) => place)), root),
  },
  { title: 'all links lead somewhere', problems: async () => deadLinks([...pages(), ...tests()], root) },
  {
    title: 'all figures in READMEs are confirmed',
    problems: async () => {
      const known = new Map([...facts(), ...(await sizes())]);
      const first = unconfirmedFigures(pageAt(root, 'README.md'), known, 'all');
      return [...first, ...readmes().flatMap((page) => unconfirmedFigures(page, known, 'measured'))];
    },
  },
  {
    title: 'all exports have a docstring, functions and classes an executed example',
    problems: async () =>
      undocumented(entries(), root).map(({ place, name, lacks }) => ({ place, text: `${name} lacks ${lacks}` })),
  },
  {
    title: 'all READMEs of packages have one form',
    problems: async () => readmes().flatMap(misshapen),
  },
];

/** Tests name files, too; the tests of these gates some that are not there. */
function tests(): Page[] {
  const all = ['docs/examples', 'test'].flatMap((folder) => pagesIn(root, folder, ['.ts', '.mjs']));
  return all.filter(({ file }) => file !== 'test/docs/gates.test.ts');
}
