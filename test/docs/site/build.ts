// Builds the site into test/.output/site/html. With `--serve` it also serves the site. The build fails on a dead link, on a missing
// docstring, and on a function or class without an executed example. With `--reference` it only writes the reference pages, which
// finds all but dead links.
import { rmSync } from 'node:fs';
import { build, serve } from 'vitepress';
import { root } from '../../package/packages.ts';
import { writeReference } from './reference.ts';

const reference = `${root}docs/reference`;

rmSync(reference, { recursive: true, force: true });
await writeReference(reference);
if (!process.argv.includes('--reference')) await build(`${root}docs`);
if (process.argv.includes('--serve')) await serve({ root: `${root}docs` });
