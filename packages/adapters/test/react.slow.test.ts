// The hooks in a page of Chromium, with each supported React.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { type Browser, chromium, type Page } from 'playwright';
import { afterAll, describe, expect, test } from 'vitest';
import { chromiumNote, chromiumPath, isChromiumMissing, quiet } from '../../../test/runtimes/chromium.ts';

const folder = fileURLToPath(new URL('..', import.meta.url));

/** Bundles the cases, with other packages in place of some. */
async function bundle(alias: Record<string, string>): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [`${folder}test/react/cases.ts`],
    ...{ absWorkingDir: folder, bundle: true, write: false, format: 'iife', platform: 'browser', target: 'es2022' },
    ...{ jsx: 'automatic', logLevel: 'warning', alias },
    define: { 'process.env.NODE_ENV': '"development"' },
  });
  return outputFiles[0]?.text ?? '';
}

/** The result of each case, and the errors that reached the uncaught handler. */
const expected: Record<string, { readonly got: unknown; readonly uncaught?: readonly string[] }> = {
  'a token is the same in every render, and is cancelled on unmount': {
    got: { count: 1, before: false, name: 'AbortError', source: 'scope', message: 'The component was unmounted' },
  },
  'a token that is cancelled is replaced in the next render': {
    got: [
      [true, 'enough'],
      [false, undefined],
    ],
  },
  'a scope cancels its tasks on unmount, awaits them and runs its cleanups': {
    got: ['task starts', 'task stops', 'cleaned up', 'ERR_CLOSED: spawn: scope "page" has ended:'],
  },
  'under StrictMode the tasks of an effect run once at a time, and the first ones are cancelled': {
    got: { live: 'token live', before: 1, cancelled: true },
  },
  'a failure cancels the other tasks, is reported once, and the next render has a new scope': {
    got: ['sibling starts', 'sibling stops', 'next starts'],
    uncaught: ['disk full'],
  },
  'an isolated failure belongs to the code that awaits the task': { got: ['caught 404', false, 'on'] },
  'cancelled work that does not end within `cleanupTimeout` is named': {
    got: 'CleanupTimeoutError',
    uncaught: ['scope "page": cancelled work did not end within 10 ms: "deaf" (running for … ms); no longer awaited'],
  },
  'a task shows its value, and keeps it while the next run is running': {
    got: ['running -', 'fulfilled Ada', 'running Ada', 'fulfilled Grace'],
  },
  'the latest run wins, even when an earlier one ignores its token and ends last': {
    got: ['0 cancelled', 'fulfilled new'],
  },
  'a task that fails is rejected with its error, and a cancelled run that fails is reported': {
    got: ['rejected - 404', 'rejected - 404'],
    uncaught: ['late'],
  },
  'a rejected task that is thrown reaches the error boundary': { got: 'shown' },
  'under StrictMode one run of a task is left': { got: ['run 1', 'run 2', 'run 1 cancelled', 'fulfilled run 2'] },
  'renders that are suspended and abandoned leave nothing behind': {
    got: ['abandoned', 'calls 0', 'timers 0', 'alive 0'],
  },
  'a component that was unmounted leaves nothing behind': { got: [15, 0] },
  'a transition that never commits starts no work': { got: ['load ada', 'load grace'] },
  'a part that `<Activity>` hides is cancelled, and starts again when it is shown': { got: ['run 1 cancelled'] },
  'the search of the documentation asks for the last text only, and shows its result': {
    got: ['search ""', 'search "qui"', 'cancelled "qui"', 'search "quie"'],
  },
  'the requests of the documentation are aborted on unmount, and a second click replaces the first': {
    got: ['fetch /file', 'fetch /save', 'aborted /save', 'fetch /save', 'aborted /file', 'aborted /save'],
  },
};

const versions = [
  { react: '19', alias: {} },
  { react: '18', alias: { react: 'react-18', 'react-dom': 'react-dom-18' } },
];

let browser: Promise<Browser> | undefined;
afterAll(async () => (await browser)?.close());

function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumPath(), args: [...quiet, '--js-flags=--expose-gc'] });
}

async function open(alias: Record<string, string>): Promise<Page> {
  const content = await bundle(alias);
  browser ??= launch();
  const page = await (await browser).newPage();
  await page.setContent('<!doctype html><title>cases</title>');
  await page.addScriptTag({ content });
  return page;
}

describe.skipIf(isChromiumMissing).each(versions)(`with React $react${chromiumNote}`, ({ react, alias }) => {
  let page: Promise<Page> | undefined;

  test('every case has an expected result', async () => {
    page ??= open(alias);
    const names = (await (await page).evaluate('Object.keys(cases)')) as string[];
    expect(names.sort()).toEqual(Object.keys(expected).sort());
  });

  test.each(Object.entries(expected))('%s', async (name, { got, uncaught = [] }) => {
    const hasNoActivity = react === '18' && name.includes('<Activity>');
    page ??= open(alias);
    const result = await (await page).evaluate(`cases[${JSON.stringify(name)}]()`);
    expect(result).toEqual({ got: hasNoActivity ? 'this React has no Activity' : got, uncaught });
  });
});

test('the components in the docstrings are those that the cases render', async () => {
  const docstrings = (await readFile(`${folder}src/react.ts`, 'utf8')).replaceAll(/^ \* ?/gm, '');
  const rendered = await readFile(`${folder}test/react/examples.tsx`, 'utf8');
  const examples = [...docstrings.matchAll(/^```tsx\n([\s\S]*?)^```$/gm)].map(([, code]) => code);
  expect(examples).toHaveLength(3);
  for (const code of examples) expect(rendered).toContain(code);
});

/** Returns the size of a module, minified and gzipped, beside React. */
async function sizeOf(contents: string): Promise<number> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: folder },
    ...{ bundle: true, write: false, minify: true, format: 'esm', platform: 'browser', target: 'es2022' },
    external: ['react'],
  });
  return gzipSync(outputFiles[0]?.contents ?? '').length;
}

test('the hooks have at most 1.5 kB beside a scope, and import nothing but React and the scope', async () => {
  const withScope = "export { scope, Scope } from '@quiesce/scope';";
  const hooks = "export { useScope, useTask, useToken } from './src/react.ts';";
  expect((await sizeOf(`${withScope}${hooks}`)) - (await sizeOf(withScope))).toBeLessThanOrEqual(1_500);
});

test('a React that is too old is refused by name, with the versions that fit', async () => {
  const { outputFiles } = await build({
    stdin: { contents: "export { useToken } from './src/react.ts';", resolveDir: folder },
    ...{ bundle: true, write: false, format: 'esm', platform: 'browser', target: 'es2022', outdir: '.' },
    plugins: [
      {
        name: 'old React',
        setup: (build) => {
          build.onResolve({ filter: /^react$/ }, () => ({ path: 'react', namespace: 'old' }));
          const contents = "export const version = '17.0.2', useEffect = 0, useMemo = 0, useState = 0;";
          build.onLoad({ filter: /.*/, namespace: 'old' }, () => ({ contents }));
        },
      },
    ],
  });
  const code = Buffer.from(outputFiles[0]?.contents ?? '').toString('base64');
  const { useToken } = (await import(`data:text/javascript;base64,${code}`)) as { useToken: () => unknown };
  expect(() => useToken()).toThrow(
    new TypeError('useToken() supports react ^18 || ^19, and react 17.0.2 is installed: npm install "react@^19"'),
  );
});
