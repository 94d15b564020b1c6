// What each root script does, as a list of steps.
import { rmSync } from 'node:fs';
import { ensureInstalled } from './install.mjs';
import { node, root, say, step } from './process.mjs';
import { reportPath } from './report.mjs';

const built = ['--conditions=built', '--import', 'tsx'];
const script = ['--import', 'tsx'];
/** Every fence is run, and compared with what it promises; the report of `npm test` stays. */
const examples = [
  '--project',
  'docs',
  '-t',
  'prints what it promises|shows what happens',
  '--outputFile.json',
  'test/.output/examples.json',
];
/** Set by `.ci/run` behind `npm test`, which has built everything and run every example by then. */
const isTested = process.env['QUIESCE_TESTED'] === '1';
const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/vitest.config.ts'];

/** @type {Record<string, (args: string[]) => Promise<number>>} */
const commands = {
  build: () => build(),
  test: async (args) => {
    // A report that was left from another run must never be taken for this one's.
    rmSync(reportPath, { force: true });
    const code = (await build()) || (await step('all tests', () => node([...vitest, ...args])));
    // Whoever names tests asks for those alone.
    if (args.length > 0) return code;
    const other = [...script, 'test/runtimes/run.ts', '24', '--quick'];
    return (await step('a part of them on Node 24, against what was built', () => node(other))) || code;
  },
  conformance: (args) => step('conformance tests', () => node([...vitest, '--project', 'conformance', ...args])),
  demo: async (args) => (await build()) || step('the demo', () => node([...built, 'docs/examples/demo.ts', ...args])),
  bench: async (args) => (await build()) || step('benchmarks', () => node([...script, 'test/bench/run.ts', ...args])),
  runtimes: async (args) => {
    const code =
      (await build()) ||
      (await step('the tests on several runtimes', () => node([...script, 'test/runtimes/run.ts', ...args])));
    // Whoever names runtimes asks for those alone.
    if (args.length > 0) return code;
    return (
      (await step('site', () => node([...script, 'test/docs/site/build.ts']))) ||
      (await step('the site in a browser', () => node([...script, 'test/runtimes/site.ts']))) ||
      code
    );
  },
  check: async () => {
    const isBuilt = isTested || (await build()) === 0;
    if (!isBuilt) say('what needs the build is not checked');
    // Two at a time, each as long as the other.
    const codes = await Promise.all([
      inTurn([
        ['format and lint', ['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '.']],
        ['types', ['node_modules/typescript/bin/tsc', '-b']],
        [
          'dead code and dependencies',
          ['node_modules/knip/bin/knip.js', '--config', '.knip.jsonc', '--no-config-hints'],
        ],
        ['what needs Node says so', [...script, 'test/package/node-only.ts']],
        ...only(isBuilt, ['packed packages', [...script, 'test/package/check.ts']]),
      ]),
      inTurn([
        ...only(isBuilt && !isTested, ['code in the documentation', [...vitest, ...examples]]),
        ...only(isBuilt, ['site', [...script, 'test/docs/site/build.ts']]),
        ...only(isBuilt, ['release rehearsal', [...script, 'test/package/rehearse.ts']]),
      ]),
    ]);
    return isBuilt && codes.flat().every((code) => code === 0) ? 0 : 1;
  },
};

/** @typedef {[title: string, args: string[]]} Check */

/**
 * @param {Check[]} checks all of them run, whatever the others find
 * @returns {Promise<number[]>} the exit codes
 */
async function inTurn(checks) {
  const codes = [];
  for (const [title, args] of checks) codes.push(await step(title, () => node(args, { isHeld: true })));
  return codes;
}

/**
 * @param {boolean} isWanted
 * @param {Check} check
 * @returns {Check[]}
 */
function only(isWanted, check) {
  return isWanted ? [check] : [];
}

/** @returns {Promise<number>} the exit code */
function build() {
  return step('build', () => node([...script, 'test/package/build.ts']));
}

/**
 * @param {string | undefined} name
 * @param {string[]} args
 */
export async function run(name, args) {
  process.chdir(root);
  const command = commands[name ?? ''];
  if (command === undefined) {
    say(`there is no command "${name}"; there are ${Object.keys(commands).join(', ')}`);
    process.exitCode = 1;
    return;
  }
  process.exitCode = (await ensureInstalled()) || (await command(args));
}
