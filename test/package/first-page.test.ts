// The programs of the documentation, as a new user runs them: an empty folder, installed packages, and Node.
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { transform } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { allFences, type Fence, isExecuted } from '../docs/fences.ts';
import { fileOf } from '../docs/modules.ts';
import { play } from '../docs/transcript.ts';
import { copyInstalled, linkPeers } from './pack.ts';
import { publicPackages, root } from './packages.ts';

const execute = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'quiesce-first-page-'));
/** Packages that examples import, and that are neither of this project nor its peers. A user installs them from the registry. */
const others = [
  ...['@hono/node-server', '@opentelemetry/context-async-hooks', '@opentelemetry/sdk-trace-base'],
  ...['fast-check', 'p-limit', 'reflect-metadata'],
];

const fences = allFences.filter((fence) => fence.page.endsWith('.md') && isExecuted(fence));
/** A `tsx` block needs a document: `npm test` runs it. */
const pieces = fences.filter((fence) => fence.language === 'ts' && fence.file === undefined);
const programs = fences.filter((fence) => fence.file !== undefined);
const transcripts = fences.filter((fence) => fence.language === 'console');

/** The program that Node runs: the code block, without its types. */
const scriptOf = (fence: Fence): string => fileOf(`${folder}/`, fence).replace(/\.ts$/, '.js');

/** The outcome of a piece. */
interface Result {
  readonly lines: readonly string[];
  readonly exitCode?: number;
  readonly error?: string;
}

/**
 * A program that imports the scripts in its arguments, and prints their results at the end. Each script starts when nothing of the one
 * before is in progress. With a process for each of them, most of the time would go into starting Node.
 */
const runner = `
  import { format } from 'node:util';
  const scripts = process.argv.slice(2);
  const results = {};
  let limit;
  const runNext = async (script) => {
    limit = setTimeout(() => {
      throw new Error(script + ' does not end: ' + process.getActiveResourcesInfo());
    }, 60_000).unref();
    const lines = [];
    globalThis.logOfPiece = (...values) => void lines.push(...format(...values).split('\\n'));
    const error = await import(script).then(() => undefined, (error) => String(error?.stack ?? error));
    results[script] = { lines, exitCode: process.exitCode, error };
    process.exitCode = undefined;
  };
  process.on('beforeExit', () => {
    clearTimeout(limit);
    // Node ends when no callback is left.
    if (scripts.length > 0) setImmediate(() => runNext(scripts.shift()));
  });
  process.once('exit', () => process.stdout.write(JSON.stringify(results)));
`;
const PROCESSES = 2;
const stop = new AbortController();
let results: Promise<Map<string, Result>>;

async function runAll(scripts: readonly string[]): Promise<[string, Result][]> {
  const args = [join(folder, 'runner.mjs'), ...scripts];
  const { stdout } = await execute(process.execPath, args, { cwd: folder, signal: stop.signal });
  return Object.entries(JSON.parse(stdout) as Record<string, Result>);
}

beforeAll(async () => {
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'first-page', private: true, type: 'module' }));
  copyInstalled(folder);
  linkPeers(folder, publicPackages());
  for (const name of others) {
    mkdirSync(dirname(join(folder, 'node_modules', name)), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name), 'junction');
  }
  for (const fence of [...pieces, ...programs]) {
    // A line that a piece prints late counts for that piece, and for no other one.
    const log = 'const console = { log: globalThis.logOfPiece, error() {} };\n';
    const { code } = await transform(fence.file === undefined ? log + fence.code : fence.code, {
      ...{ loader: 'ts', target: 'es2022', format: 'esm' },
      // As projects of NestJS have it.
      tsconfigRaw: { compilerOptions: { experimentalDecorators: true } },
    });
    mkdirSync(dirname(scriptOf(fence)), { recursive: true });
    writeFileSync(scriptOf(fence), code);
  }
  writeFileSync(join(folder, 'runner.mjs'), runner);
  const parts = Array.from({ length: PROCESSES }, (_, part) => pieces.filter((_, n) => n % PROCESSES === part));
  results = Promise.all(parts.map((part) => runAll(part.map(scriptOf)))).then((parts) => new Map(parts.flat()));
  // The tests report it.
  results.catch(() => {});
});

afterAll(() => {
  stop.abort();
  rmSync(folder, { recursive: true, force: true });
});

test('the documentation has programs in the README, on the pages of the guide and in the READMEs of all packages', () => {
  const pages = new Set([...pieces, ...programs].map(({ page }) => page));
  expect(pages).toContain('README.md');
  expect([...pages].filter((page) => page.startsWith('docs/guide/')).length).toBeGreaterThan(15);
  for (const { folder } of publicPackages()) expect(pages).toContain(`packages/${folder}/README.md`);
});

describe.concurrent('in an empty folder', () => {
  test.each(pieces)('$place prints the promised output', async (fence) => {
    const { lines, exitCode = 0, error = '' } = (await results).get(scriptOf(fence)) ?? { lines: [] };
    expect({ lines, exitCode, error }).toEqual({ lines: fence.promised, exitCode: 0, error: '' });
  });

  test.for(transcripts)('$place shows the output on a terminal', async (fence, { signal }) => {
    const { got, expected } = await play(fence.code, dirname(scriptOf({ ...fence, file: '_' })), signal);
    expect(got).toEqual(expected);
  });
});
