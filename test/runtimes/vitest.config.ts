// The configuration of vitest for the runtime that QUIESCE_RUNTIME names. The tests import the files that `npm run build` has built.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cloudflareTest } from '@cloudflare/vitest-plugin';
import { playwright } from '@vitest/browser-playwright';
import { defineConfig, type TestProjectInlineConfiguration, type ViteUserConfig } from 'vitest/config';
import { root } from '../package/packages.ts';
import { suites } from '../suites.ts';
import { chromiumPath, quiet } from './chromium.ts';
import { whyExcluded } from './excluded.ts';
import { standIns } from './inside/plugin.ts';
import { ResultsReporter } from './reporter.ts';
import { runtimes } from './runtimes.ts';

const id = process.env['QUIESCE_RUNTIME'] ?? '';
const using = runtimes.find((runtime) => runtime.id === id)?.using;

/** `--quick`: unit tests of the packages that run everywhere, where they use what Node 20 lacks. Without the slow ones. */
const quick = ['cancellation-token', 'select', 'broadcast-channel', 'channel', 'scope'].flatMap((name) =>
  readdirSync(join(root, 'packages', name, 'test'))
    .map((file) => `packages/${name}/test/${file}`)
    .filter((file) => file.endsWith('.test.ts') && /\busing \w+ =/.test(readFileSync(join(root, file), 'utf8'))),
);
const isQuick = process.env['QUIESCE_QUICK'] === '1';
const unit = isQuick ? quick : [...suites.unit, ...suites.conformance];
const folders = ['test/conformance', ...readdirSync(join(root, 'packages')).map((name) => `packages/${name}/test`)];
const files = folders
  .filter((folder) => existsSync(join(root, folder)))
  .flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) => `${folder}/${file}`),
  );
const exclude = [
  '**/*.long.test.ts',
  ...(isQuick ? ['**/*.slow.test.ts'] : []),
  ...files.filter((file) => whyExcluded(id, file) !== undefined),
];

/**
 * Tests that send signals to their process or set its exit code, which a thread cannot, one that loads a package again, those of
 * the explorer, which sees the timers of other files, and the slow ones, some of which exhaust a resource of the process.
 */
const ownProcess = [
  '{packages/*/test,test/conformance}/**/explored*.test.ts',
  'packages/testing/test/**/*.test.ts',
  'packages/*/test/**/*.slow.test.ts',
  'test/conformance/**/*.slow.test.ts',
  'packages/select/test/cooperation.test.ts',
  'packages/{adapters,effect}/test/{nest,shutdown}.test.ts',
  'packages/shutdown/test/**/*.test.ts',
];

const web = ['built', 'module', 'browser', 'development'];
const setupFiles = ['test/budget.ts', 'test/runtimes/inside/setup.ts'];
/** With these headers a page has `SharedArrayBuffer`, and precise timers. */
const isolated = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };

/** Node, Bun and Deno: vitest itself runs on the runtime. */
function withNode(): ViteUserConfig {
  const project = (name: string, order: number, test: TestProjectInlineConfiguration['test']): object => ({
    extends: true,
    test: { name, sequence: { groupOrder: order }, ...test },
  });
  const execArgv = ['--conditions=built'];
  const projects = [
    project('unit', 0, {
      include: unit,
      exclude: [...exclude, ...ownProcess],
      pool: 'threads',
      // In Bun a stack that overflows may leave the packages in a broken state, which must not spread to other files.
      isolate: id === 'bun',
      execArgv,
    }),
  ];
  if (!isQuick) {
    projects.push(
      project('process', 1, { include: ownProcess, exclude, pool: 'forks', execArgv }),
      project('leak', 2, { include: suites.leak, pool: 'forks', execArgv: [...execArgv, '--expose-gc'] }),
    );
  }
  return {
    plugins: [standIns(id)],
    ssr: { resolve: { conditions: ['built', 'module', 'node', 'development'] } },
    test: { projects, setupFiles, server: { deps: { external: [/\/packages\/[^/]+\/dist\//] } } },
  };
}

function inWorkerd(): ViteUserConfig {
  const miniflare = { compatibilityDate: '2026-08-15', compatibilityFlags: ['nodejs_compat'] };
  return {
    plugins: [standIns(id), cloudflareTest({ miniflare })],
    ssr: { resolve: { conditions: web } },
    test: { include: [...unit, ...(isQuick ? [] : suites.leak)], exclude, setupFiles, isolate: false },
  };
}

function inChromium(): ViteUserConfig {
  const args = [...quiet, '--enable-precise-memory-info', '--js-flags=--expose-gc'];
  return {
    plugins: [standIns(id)],
    resolve: { conditions: web },
    server: { headers: isolated },
    test: {
      include: [...unit, ...(isQuick ? [] : suites.leak)],
      exclude,
      setupFiles,
      browser: {
        enabled: true,
        headless: true,
        screenshotFailures: false,
        provider: playwright({ launchOptions: { executablePath: chromiumPath(), args } }),
        instances: [{ browser: 'chromium' }],
      },
    },
  };
}

const inside = id === 'workerd' ? inWorkerd() : id === 'page' || id === 'worker' ? inChromium() : withNode();

export default defineConfig({
  ...inside,
  root,
  cacheDir: `test/.cache/vite-${id}`,
  oxc: { target: using === 'lowered' ? 'es2022' : 'esnext' },
  test: {
    ...inside.test,
    environment: 'node',
    // A busy machine must not decide whether a test passes.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // Without isolation, files that run at the same time in workerd would share one global object.
    maxWorkers: id === 'workerd' ? 1 : 2,
    reporters: ['default', new ResultsReporter()],
  },
});
