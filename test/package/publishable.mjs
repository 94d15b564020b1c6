// Runs before a package is published. npm would publish the workspace's view (`src`, `workspace:^`), and would not build.
import { existsSync, readFileSync } from 'node:fs';

const manifest = readFileSync('package.json', 'utf8');
const missing = (manifest.match(/\.\/dist\/[\w./-]+/g) ?? []).filter((file) => !existsSync(file));
if (!process.env['npm_config_user_agent']?.startsWith('pnpm/')) {
  refuse('publish with pnpm: npm leaves "workspace:^" and the exports of the workspace as they are');
} else if (missing.length > 0) {
  refuse(`npm run build: there is no ${missing[0]} in ${process.cwd()}`);
}

/** @param {string} why */
function refuse(why) {
  console.error(`quiesce: ${why}`);
  process.exitCode = 1;
}
