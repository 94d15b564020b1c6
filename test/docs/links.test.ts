import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { remark } from 'remark';
import validateLinks from 'remark-validate-links';
import { engine } from 'unified-engine';
import { expect, it } from 'vitest';
import { root } from '../package/packages.ts';

/** Returns the dead links to files and headings of the repository, in Markdown files and in the Markdown files of folders. */
function deadLinks(files: string[]): Promise<string[]> {
  const repository = 'https://github.com/quiesce/quiesce';
  return new Promise((resolve, reject) => {
    engine(
      {
        ...{ cwd: root, files, extensions: ['md'], ignorePatterns: ['dist', 'docs/reference'] },
        ...{ processor: remark(), plugins: [[validateLinks as never, { repository, root }]], silent: true, out: false },
      },
      (error, _, context) => {
        if (context === undefined) reject(error);
        else resolve(context.files.flatMap(({ messages }) => messages.map(String)));
      },
    );
  });
}

it('every link in Markdown leads to a file and a heading that exist', async () => {
  expect(await deadLinks(['README.md', 'docs', 'packages', '.changeset'])).toEqual([]);
});

it('a link to a file or a heading that does not exist is reported', async () => {
  const file = `${root}test/.output/links/made-up.md`;
  const github = 'https://github.com/quiesce/quiesce/blob/main';
  const dead = [
    '[x](none.md)',
    '![x](none.svg)',
    '[x](../../../README.md#none)',
    '[y]: none.ts#L5',
    `[x](${github}/none)`,
  ];
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, [...dead, '[x](../../../README.md#packages)', `[x](${github}/docs)`].join('\n\n'));
  expect(await deadLinks([file])).toHaveLength(dead.length);
});
