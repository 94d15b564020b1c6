// Builds the site: the guide, the READMEs, the reference. It fails on what typedoc warns of, on a page that does not compile
// and on a dead link. The result is test/.output/site/html, which any web server can serve: `-- --serve` does.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { build, serve } from 'vitepress';
import { root } from '../../package/packages.ts';
import { deadEnds, readSite } from './dead-ends.ts';
import { navigation } from './navigation.ts';
import { addresses, writePages } from './pages.ts';
import { writeReference } from './reference.ts';

const output = `${root}test/.output/site/`;

rmSync(`${output}pages`, { recursive: true, force: true });
mkdirSync(`${output}pages`, { recursive: true });
writePages(`${output}pages`);
await writeReference(`${output}pages/reference`);
writeFileSync(`${output}navigation.json`, JSON.stringify(navigation(addresses()), null, 2));
await build(`${root}docs`);
const { pages, files } = readSite(`${output}html`);
const dead = deadEnds(pages, files);
for (const text of dead) console.log(`  ${text}`);
console.log(`  ${pages.size} pages, ${dead.length} dead links`);
if (dead.length > 0 || pages.size < 20) process.exitCode = 1;
else if (process.argv.includes('--serve')) await serve({ root: `${root}docs`, port: 0 });
