// The steps of each root script.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { ensureInstalled, fingerprintOf } from './install.mjs';
import { node, root, say, step } from './process.mjs';
import { hasPassed, reportOf } from './report.mjs';

const againstBuild = ['--conditions=built', '--import', 'tsx'];
const script = ['--import', 'tsx'];
const vitest = ['node_modules/vitest/vitest.mjs', '--config', 'test/vitest.config.ts'];
/** The projects of test/vitest.config.ts that read the sources and need no build. */
const quick = ['unit', 'conformance', 'docs', 'types', 'e2e'];
/** The projects that need the build, or that take minutes. */
const thorough = ['slow', 'effect-4.0', 'package', 'leak'];
/** For a release: what slow tests show on one server, on others, and programs without Quiesce. */
const long = 'long';
/**
 * `.ci/run` passes it to `test:all` after `npm test`: no test runs twice, and the long ones not at all. It passes it to `check`, too,
 * which then writes the reference pages and builds no site from them.
 */
const tested = '--tested';
/** Contains the hash of the last build. */
const stamp = 'node_modules/.quiesce-built';

/** @type {Record<string, (args: string[]) => Promise<number>>} */
const commands = {
  build: () => build(),
  test: async (args) => {
    // `npm test -- --project leak`
    const needsBuild = [...thorough, long].some((name) => args.includes(name) || args.includes(`--project=${name}`));
    return (needsBuild && (await ensureBuilt())) || test('test', quick, args);
  },
  'test:watch': (args) => node([...vitest, 'watch', ...projects(quick, args), ...args]),
  'test:all': async (args) => {
    const filters = args.filter((arg) => arg !== tested);
    const isTested = args.includes(tested);
    const names = isTested ? thorough : [...quick, ...thorough, long];
    if ((await ensureBuilt()) !== 0) return 1;
    const code = await test('test:all', names, filters);
    // With a filter or a project on the command line, only those tests run.
    if (filters.length > 0) return code;
    const quickPart = [...script, 'test/runtimes/run.ts', '24', '--quick'];
    const onNode24 = await step('some tests on Node 24, against the build', () => node(quickPart));
    const rehearsed = isTested
      ? 0
      : await step('release rehearsal', () => node([...script, 'test/package/rehearse.ts']));
    return code || onNode24 || rehearsed;
  },
  conformance: (args) => test('conformance', ['conformance'], args),
  demo: async (args) =>
    (await ensureBuilt()) || step('the demo', () => node([...againstBuild, 'docs/examples/demo.ts', ...args])),
  bench: async (args) =>
    (await ensureBuilt()) || step('benchmarks', () => node([...script, 'test/bench/run.ts', ...args])),
  docs: async (args) => node([...script, 'test/docs/site/build.ts', '--serve', ...args]),
  runtimes: async (args) => {
    const code =
      (await ensureBuilt()) ||
      (await step('the tests on several runtimes', () => node([...script, 'test/runtimes/run.ts', ...args])));
    // With runtimes on the command line, only those are tested.
    if (args.length > 0) return code;
    return (
      (await step('site', () => node([...script, 'test/docs/site/build.ts']))) ||
      (await step('the site in a browser', () => node([...script, 'test/runtimes/site.ts']))) ||
      code
    );
  },
  lint: () => together([[formatAndLint, deadCode], [types]]),
  check: async (args) => {
    const site = ['test/docs/site/build.ts', ...(args.includes(tested) ? ['--reference'] : [])];
    const code = await commands['lint']?.([]);
    if ((await ensureBuilt()) !== 0) return 1;
    const checks = await together([
      [
        ['sizes', ['node_modules/size-limit/bin.js', '--hide-passed']],
        ['packed packages', [...script, 'test/package/check.ts']],
      ],
      [['site', [...script, ...site]]],
    ]);
    return code || checks;
  },
};

/** @type {Check} */
const formatAndLint = [
  'format and lint',
  ['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '.'],
];
/**
 * TypeScript 7 checks in a quarter of the time. Tools that load the compiler as a library need TypeScript 6.
 *
 * @type {Check}
 */
const types = ['types', ['node_modules/typescript-7/bin/tsc', '-b']];
/** @type {Check} */
const deadCode = [
  'dead code and dependencies',
  ['node_modules/knip/bin/knip.js', '--config', '.knip.jsonc', '--no-config-hints'],
];
/**
 * Runs the tests of the named projects. Projects in the arguments replace the names. A run in which no test passes is a failure:
 * vitest accepts a name that matches no test.
 *
 * @param {string} command names the report that is written
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
 * Runs lists of checks concurrently, since most machines have two processors. The checks of one list run one after another.
 *
 * @param {Check[][]} lists all checks run, also after one has failed
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
async function build() {
  rmSync(stamp, { force: true });
  const before = sources();
  const code = await step('build', () => node([...script, 'test/package/build.ts']));
  // A source that changed during the build belongs to the next one.
  if (code === 0 && before === sources()) writeFileSync(stamp, before + built());
  return code;
}

/**
 * Builds unless the last build had the same sources, and its files are there.
 *
 * @returns {Promise<number>} the exit code
 */
async function ensureBuilt() {
  const isBuilt = existsSync(stamp) && readFileSync(stamp, 'utf8') === sources() + built();
  return isBuilt ? 0 : build();
}

/** Returns a hash of every file that decides what is built. */
function sources() {
  const tools = [
    'pnpm-lock.yaml',
    ...['build', 'declarations', 'packages', 'tsup.config'].map((name) => `test/package/${name}.ts`),
  ];
  const configs = ['declarations', 'everywhere', 'node'].map((name) => `test/tsconfig.${name}.json`);
  return fingerprintOf([...tools, ...configs, ...inPackages(/^[^/]+\/(?:src\/.*\.ts|package\.json)$/)]);
}

/** Returns the names of the built files. */
function built() {
  return `\n${inPackages(/^[^/]+\/dist\//).join('\n')}`;
}

/** @param {RegExp} pattern */
function inPackages(pattern) {
  const files = readdirSync('packages', { recursive: true, encoding: 'utf8' }).map((file) =>
    file.replaceAll('\\', '/'),
  );
  return files
    .filter((file) => pattern.test(file))
    .sort()
    .map((file) => `packages/${file}`);
}

/**
 * @param {string | undefined} name
 * @param {string[]} args
 */
export async function run(name, args) {
  process.chdir(root);
  const command = commands[name ?? ''];
  if (command === undefined) {
    say(`there is no command "${name}". Use one of ${Object.keys(commands).join(', ')}`);
    process.exitCode = 1;
    return;
  }
  // Until the command has ended, this process counts as failed: Node exits with 0 when its event loop is empty.
  process.exitCode = 1;
  // A report of an earlier run must not count as a report of this run, also when the build fails.
  rmSync(reportOf(name ?? ''), { force: true });
  process.exitCode = (await ensureInstalled()) || (await command(args));
}
