import { playwright } from '@vitest/browser-playwright';
import { cloudflareTest } from '@cloudflare/vitest-pool-workers';
import { defineConfig } from 'vitest/config';
import { suites } from '../suites.ts';
import { webTests } from './web/plugin.ts';

const root = new URL('../..', import.meta.url).pathname;
const id = process.env['QUIESCE_RUNTIME'] ?? '20';
/** Tests that send signals to their own process, or change its exit code: a thread cannot. */
const signals = ['packages/select/test/cooperation.test.ts', 'packages/effect/test/shutdown.test.ts', 'packages/shutdown/test/**/*.test.ts'];
const gc = ['--conditions=built', '--expose-gc'];
const project = (name: string, order: number, include: string[], more: object) => ({
  extends: true as const,
  test: { name, include, sequence: { groupOrder: order }, ...more },
});
const common = {
    environment: 'node' as const,
    testTimeout: 180_000,
    hookTimeout: 180_000,
    maxWorkers: 2,
    reporters: ['default', 'json'],
    outputFile: { json: process.env['QUIESCE_REPORT'] ?? 'test/.output/report.json' },
};
const page = () => defineConfig({
  root,
  cacheDir: 'test/.cache/vite',
  oxc: { target: 'esnext' },
  plugins: [webTests(id === 'worker' ? 'worker' : 'page')],
  resolve: { conditions: ['built', 'module', 'browser', 'development'] },
  server: { headers: { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' } },
  test: {
    ...common,
    include: [...suites.unit, ...suites.conformance, ...suites.leak],
    setupFiles: ['test/runtimes/web/setup.ts'],
    browser: {
      enabled: true,
      headless: true,
      screenshotFailures: false,
      provider: playwright({ launchOptions: { executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium', args: ['--no-sandbox', '--enable-precise-memory-info', '--js-flags=--expose-gc'] } }),
      instances: [{ browser: 'chromium' }],
    },
  },
});
const node = () => defineConfig({
  root,
  cacheDir: 'test/.cache/vite',
  oxc: { target: 'es2022' },
  ssr: { resolve: { conditions: ['built', 'module', 'node', 'development'] } },
  test: {
    ...common,
    server: { deps: { external: [/\/packages\/[^/]+\/dist\//] } },
    execArgv: ['--conditions=built'],
    projects: [
      project('unit', 0, [...suites.unit, ...suites.conformance], {pool: 'threads', isolate: false, exclude: signals}),
      project('signals', 1, signals, {pool: 'forks'}),
      project('leak', 2, suites.leak, {pool: 'forks', execArgv: gc, maxWorkers: 1}),
    ],
  },
});
const workerd = () => defineConfig({
  root,
  cacheDir: 'test/.cache/vite',
  oxc: { target: 'esnext' },
  plugins: [webTests(), cloudflareTest({ miniflare: { compatibilityDate: '2026-08-15', compatibilityFlags: ['nodejs_compat'] } })],
  resolve: { conditions: ['built', 'module', 'browser', 'development'] },
  ssr: { resolve: { conditions: ['built', 'module', 'browser', 'development'] } },
  test: {
    ...common,
    include: [...suites.unit, ...suites.conformance, ...suites.leak],
    setupFiles: ['test/runtimes/web/setup.ts'],
  },
});
export default id === 'workerd' ? workerd() : id === 'page' || id === 'worker' ? page() : node();
