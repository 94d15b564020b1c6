// What each root script does, as a list of steps.
import { rmSync } from 'node:fs';
import { ensureInstalled } from './install.mjs';
import { node, root, say, step } from './process.mjs';
import { hasPassed, reportOf } from './report.mjs';

const built = ['--conditions=built', '--import', 'tsx'];
const script = ['--import', 'tsx'];
const vitest = ['node_modules/vitest/vitest.mjs', '--config', 'test/vitest.config.ts'];
/** The projects of test/vitest.config.ts that read the sources and need no build. */
const quick = ['unit', 'conformance', 'docs', 'types', 'e2e'];
/** Those that need the build, or that take minutes. */
const thorough = ['slow', 'effect-4.0', 'package', 'leak'];
/** `.ci/run` passes these, so that nothing runs twice: to `test:all` after `npm test`, and to `check` after `test:all`. */
const flags = { tested: '--tested', built: '--built' };

/** @type {Record<string, (args: string[]) => Promise<number>>} */
const commands = {
  build: () => build(),
  test: (args) => test('test', quick, args),
  'test:watch': (args) => node([...vitest, 'watch', ...projects(quick, args), ...args]),
  'test:all': async (args) => {
    const filters = args.filter((arg) => arg !== flags.tested);
    const names = args.includes(flags.tested) ? thorough : [...quick, ...thorough];
    if ((await build()) !== 0) return 1;
    const code = await test('test:all', names, filters);
    // A filter or a project on the command line asks for those tests alone.
    if (filters.length > 0) return code;
    const quickPart = [...script, 'test/runtimes/run.ts', '24', '--quick'];
    return (await step('some of them on Node 24, against the build', () => node(quickPart))) || code;
  },
  conformance: (args) => test('conformance', ['conformance'], args),
  demo: async (args) => (await build()) || step('the demo', () => node([...built, 'docs/examples/demo.ts', ...args])),
  bench: async (args) => (await build()) || step('benchmarks', () => node([...script, 'test/bench/run.ts', ...args])),
  docs: async (args) => node([...script, 'test/docs/site/build.ts', '--serve', ...args]),
  runtimes: async (args) => {
    const code =
      (await build()) ||
      (await step('the tests on several runtimes', () => node([...script, 'test/runtimes/run.ts', ...args])));
    // Runtimes on the command line are all that is asked for.
    if (args.length > 0) return code;
    return (
      (await step('site', () => node([...script, 'test/docs/site/build.ts']))) ||
      (await step('the site in a browser', () => node([...script, 'test/runtimes/site.ts']))) ||
      code
    );
  },
  lint: () => together([[formatAndLint, circles, deadCode], [types]]),
  check: async (args) => {
    const code = await commands['lint']?.([]);
    if (!args.includes(flags.built) && (await build()) !== 0) return 1;
    const checks = await together([
      [
        ['sizes', ['node_modules/size-limit/bin.js', '--hide-passed']],
        ['packed packages', [...script, 'test/package/check.ts']],
      ],
      [
        ['site', [...script, 'test/docs/site/build.ts']],
        ['release rehearsal', [...script, 'test/package/rehearse.ts']],
      ],
    ]);
    return code || checks;
  },
};

/** @type {Check} */
const formatAndLint = [
  'format and lint',
  ['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '.'],
];
/** @type {Check} */
const types = ['types', ['node_modules/typescript/bin/tsc', '-b']];
/** @type {Check} */
const deadCode = [
  'dead code and dependencies',
  ['node_modules/knip/bin/knip.js', '--config', '.knip.jsonc', '--no-config-hints'],
];
/**
 * The linter refuses those that exist at run time; the others are listed here.
 *
 * @type {Check}
 */
const circles = ['import circles of types', ['test/run/circles.mjs']];

/**
 * Runs the tests of some projects, or of those that the arguments name. A run in which no test passes is a failure: vitest
 * accepts a name that matches no test.
 *
 * @param {string} command whose report is written
 * @param {string[]} names
 * @param {string[]} args
 */
function test(command, names, args) {
  const report = reportOf(command);
  const reporters = ['--reporter', 'default', '--reporter', 'json', '--outputFile.json', report];
  return step(command, async () => {
    const code = await node([...vitest, 'run', ...projects(names, args), ...reporters, ...args]);
    if (code !== 0 || hasPassed(report)) return code;
    say('no test has run: no name matches, or every test is skipped');
    return 1;
  });
}

/**
 * @param {string[]} names
 * @param {string[]} args
 */
function projects(names, args) {
  return args.some((arg) => arg.startsWith('--project')) ? [] : names.flatMap((name) => ['--project', name]);
}

/** @typedef {[title: string, args: string[]]} Check */

/**
 * Runs lists of checks side by side, since there are at least two processors; within a list one after the other.
 *
 * @param {Check[][]} lists all checks run, whatever the others find
 * @returns {Promise<number>} the exit code
 */
async function together(lists) {
  const codes = await Promise.all(
    lists.map(async (checks) => {
      const codes = [];
      for (const [title, args] of checks) codes.push(await step(title, () => node(args, { isHeld: true })));
      return codes;
    }),
  );
  return codes.flat().every((code) => code === 0) ? 0 : 1;
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
  // Until the command has ended, this process has failed: Node leaves an event loop that has nothing to wait for with 0.
  process.exitCode = 1;
  // A report of an earlier run must never be taken for this one's, also when the build fails.
  rmSync(reportOf(name ?? ''), { force: true });
  process.exitCode = (await ensureInstalled()) || (await command(args));
}
