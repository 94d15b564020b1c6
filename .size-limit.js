// The largest size that each package may have: bundled with the packages that it imports, minified by esbuild, and gzipped.
// 1 kB is 1,000 bytes. `npm exec size-limit` measures `dist`, so build first.
//
// `budget` is the wanted size, in bytes. When a package is larger today, `now` is the limit instead. It may shrink, but not
// grow. docs/design.md explains these cases. Delete `now` once the package meets its budget.
import { readdirSync, readFileSync } from 'node:fs';

/** @typedef {{ budget: number, why: string, now?: number, import?: string }} Ceiling */

/** @type {Record<string, Ceiling>} */
export const packages = {
  'cancellation-token': {
    budget: 3_000,
    why: 'the tree, its signals and its deadlines; 1.1 kB for deadlines that move, their handle and their errors; 1.3 kB for calls that are branches and waits that poll again, 0.1 kB for signals of simulated pages, 1.7 kB for errors that say what to write, handles that print and refuse, and stacks of the caller; 0.5 kB for arguments and options that are refused by name',
    now: 13_300,
  },
  'broadcast-channel': {
    budget: 4_500,
    why: 'the token, and a ring with lag and close; 0.8 kB for receives as branches; 0.6 kB for arguments and options that are refused by name',
    now: 16_600,
  },
  channel: {
    budget: 9_800,
    why: 'the token, 4.5 kB for mpsc, oneshot, watch, semaphore and mutex, and 2.5 kB for notify, lock, barrier and cell; 0.7 kB for arguments and options that are refused by name',
    now: 20_900,
  },
  select: {
    budget: 5_500,
    why: 'the token, and races that leave nothing behind, with timers; 0.9 kB for resets and abandoned work; 0.9 kB for retries; 0.9 kB for arguments and options that are refused by name',
    now: 21_100,
  },
  scope: {
    budget: 9_000,
    why: 'the token, and tasks whose cleanup is awaited in order; 0.7 kB for stop signals in scopes of libraries, promises that are derived from tasks, and waits that can never end; 1.3 kB for restarts, and for items of async iterables; 0.8 kB for results as they come, and drainables of functions; 0.6 kB for arguments and options that are refused by name',
    now: 23_300,
  },
  shutdown: {
    budget: 32_000,
    why: 'scope, select and watch, and 13 kB for phases, signals, report, checks, loggers and the watchdog; 1 kB for events of the log, and flushing their loggers; 0.4 kB for cleanups of main that wait for drainables; 0.1 kB for fake processes of tests; 1.4 kB for arguments and options that are refused by name',
    now: 47_300,
  },
  'http-deadline': {
    budget: 5_000,
    why: 'the token, and 1 kB for headers, their values and three functions',
    now: 12_800,
  },
  'http-drain': {
    budget: 16_000,
    why: 'scope, http-deadline (0.8 kB), and 5.5 kB for connections, sessions, several servers of one app, refusals in words, and health; 0.5 kB for arguments and options that are refused by name',
    now: 19_000,
  },
  effect: {
    budget: 21_000,
    why: 'every package that runs everywhere, and 5 kB of bridges; Effect is a peer; 1.7 kB for arguments and options that are refused by name',
    now: 29_800,
  },
  'worker-pool': {
    budget: 15_500,
    why: 'scope and channel, and 4 kB for two pools; 0.8 kB for arguments and options that are refused by name',
    now: 18_700,
  },
  testing: {
    budget: 23_500,
    why: 'the explorer: search, replay, virtual timers, stories and checks for leaks; 2.3 kB for the virtual clock and the fake process; @sinonjs/fake-timers is not counted, because tests are not shipped',
    now: 24_000,
  },
  fleet: {
    import: '{ joinFleet, memoryEngine }',
    budget: 18_000,
    why: 'without the engines of databases: the token, watch, and 13 kB for keys, reasons, receipts, leases, the link and the engine in memory',
    now: 28_600,
  },
  quiesce: {
    budget: 30_000,
    why: 'everything that runs everywhere: token, select, channels, scopes, pools',
    now: 48_800,
  },
};

/**
 * Programs that use a part of the token package, and subpaths. The adapters have no main entry.
 *
 * @type {Record<string, Ceiling & { path?: string }>}
 */
export const programs = {
  'child tokens and cancel': {
    path: 'test/package/programs/child-tokens.ts',
    budget: 2_000,
    why: 'the tree and its queue; but no bundler removes unused methods of a class',
    now: 11_800,
  },
  CancelledError: {
    import: '{ CancelledError }',
    budget: 500,
    why: 'an error class; bundlers leave out unused classes',
  },
  'the source protocol': {
    import: '{ isSource, PENDING, source }',
    budget: 300,
    why: 'two symbols and a type guard',
  },
  'worker-pool/web': {
    path: 'packages/worker-pool/dist/web.js',
    budget: 14_200,
    why: 'the token, and 1.8 kB for both sides of a worker; without scope, channel and the pools',
    now: 15_200,
  },
  'fleet with postgresEngine': {
    path: 'packages/fleet/dist/index.js',
    import: '{ joinFleet, postgresEngine }',
    budget: 21_500,
    why: 'the core in place of `fleet`, and an engine of 3.5 kB',
    now: 29_500,
  },
  'fleet with redisEngine': {
    path: 'packages/fleet/dist/index.js',
    import: '{ joinFleet, redisEngine }',
    budget: 21_500,
    why: 'the core in place of `fleet`, and an engine of 3.5 kB',
    now: 31_200,
  },
  'fleet with natsEngine': {
    path: 'packages/fleet/dist/index.js',
    import: '{ joinFleet, natsEngine }',
    budget: 21_500,
    why: 'the core in place of `fleet`, and an engine of 3.5 kB',
    now: 31_000,
  },
  'adapters/fastify': {
    path: 'packages/adapters/dist/fastify.js',
    budget: 18_500,
    why: 'http-drain, and 1.2 kB for the plugin, its options and the version of its peer; Express, Koa and Hono cost the same',
    now: 20_300,
  },
  'adapters/react': {
    path: 'packages/adapters/dist/react.js',
    budget: 20_500,
    why: 'scope, and 0.7 kB for three hooks; at most 1.5 kB: packages/adapters/test/react.slow.test.ts',
    now: 21_600,
  },
};

const folders = new URL('packages/', import.meta.url);
const withEntry = readdirSync(folders).filter((folder) => {
  const { private: isPrivate, exports } = JSON.parse(readFileSync(new URL(`${folder}/package.json`, folders), 'utf8'));
  return isPrivate !== true && '.' in exports;
});
const missing = withEntry.filter((folder) => packages[folder] === undefined);
if (missing.length > 0)
  throw new Error(`.size-limit.js has no budget for ${missing.join(', ')}: add one with its reason`);

/** @param {string} folder */
const entryOf = (folder) => `packages/${folder}/dist/index.js`;
const checks = [
  ...Object.entries(packages).map(([name, ceiling]) => ({ name, path: entryOf(name), ...ceiling })),
  ...Object.entries(programs).map(([name, program]) => ({ name, path: entryOf('cancellation-token'), ...program })),
];

export default checks.map(({ budget, why, now, ...check }) => ({
  ...check,
  limit: `${(now ?? budget) / 1000} kB`,
  message: `${why}; budget: ${budget / 1000} kB`,
  gzip: true,
  // Peer dependencies: the program has them already. Fake timers belong to tests.
  ignore: ['effect', 'react', '@sinonjs/fake-timers'],
  modifyEsbuildConfig: (/** @type {object} */ config) => ({
    ...config,
    conditions: ['built'],
    format: 'esm',
    platform: 'neutral',
    target: 'es2022',
  }),
}));
