// Builds the site into test/.output/site/html; `--serve` serves it afterwards. Fails on a dead link, a missing docstring, and
// a function or class without an executed example.
import { rmSync } from 'node:fs';
import { build, serve } from 'vitepress';
import { root } from '../../package/packages.ts';
import { writeReference } from './reference.ts';

const reference = `${root}docs/reference`;

rmSync(reference, { recursive: true, force: true });
await writeReference(reference);
await build(`${root}docs`);
if (process.argv.includes('--serve')) await serve({ root: `${root}docs` });
