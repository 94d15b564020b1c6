// Installs the dependencies of the lockfile with Node and its npm alone: npm runs pnpm at the version in package.json. When
// nothing has changed since the last run, this takes a few milliseconds.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { root, say, start, step } from './process.mjs';

const stamp = `${root}node_modules/.quiesce-installed`;

/** @returns {Promise<number>} the exit code */
export async function ensureInstalled() {
  const wanted = fingerprint();
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return 0;
  const code = await step('installing dependencies', install);
  if (code === 0) writeFileSync(stamp, wanted);
  return code;
}

/** Returns a hash of every file that decides what is installed. */
function fingerprint() {
  const packages = readdirSync(`${root}packages`).map((folder) => `packages/${folder}/package.json`);
  const own = ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json', 'test/bench/package.json'];
  return fingerprintOf([...own, ...packages.sort()]);
}

/**
 * Returns a hash of the contents of files, and of the kind of machine.
 *
 * @param {string[]} files paths from the root; files that do not exist are left out
 */
export function fingerprintOf(files) {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}`);
  for (const file of files) {
    if (existsSync(root + file)) hash.update(`\n${file}\n`).update(readFileSync(root + file));
  }
  return hash.digest('hex');
}

async function install() {
  let output = '';
  const code = await start('npm', pnpm('install', '--frozen-lockfile'), {
    onOutput: (text) => {
      output += text;
    },
    // On Windows npm is a script, which only a shell starts.
    shell: process.platform === 'win32',
  });
  if (code !== 0) explain(output);
  return code;
}

/**
 * Returns the arguments with which npm runs pnpm, at the pinned version.
 *
 * @param {string[]} args
 */
export function pnpm(...args) {
  const { packageManager } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
  // Without a network, npm would retry for more than a minute before it reports the error.
  const retries = ['--fetch-retries=1', '--fetch-retry-mintimeout=1000', '--fetch-retry-maxtimeout=3000'];
  return ['exec', '--yes', '--prefer-offline', ...retries, `--package=${packageManager}`, '--', 'pnpm', ...args];
}

/** @param {string} output */
function explain(output) {
  if (
    /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|ETIMEDOUT|META_FETCH_FAIL|dns error|error sending request/i.test(
      output,
    )
  ) {
    say('the npm registry cannot be reached: the first run needs the network, or a registry in your .npmrc');
  } else if (/OUTDATED_LOCKFILE|frozen-lockfile/i.test(output)) {
    say('pnpm-lock.yaml is behind a package.json: run `pnpm install` and commit the lockfile');
  }
}
