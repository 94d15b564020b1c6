// Runs the tests of what was built on this Node and on others: `npm run runtimes`, or `npm run runtimes -- 24 26`.
import { execFileSync, spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../package/packages.ts';
import { type Tally, tally } from '../run/report.mjs';
import { nodeOf } from './nodes.ts';

const projects = ['unit', 'leak', 'conformance'];

interface Row {
  runtime: string;
  result: Tally | string;
}

const asked = process.argv.slice(2).map(Number);
const majors = asked.length > 0 ? asked : [Number.parseInt(process.versions.node, 10), 22, 24, 26];
const rows = [...new Set(majors)].map(testOn);
print(rows);
process.exitCode = rows.every(({ result }) => typeof result !== 'string' && result.failed === 0) ? 0 : 1;

function testOn(major: number): Row {
  try {
    const node = process.versions.node.startsWith(`${major}.`) ? process.execPath : nodeOf(major);
    const runtime = `Node ${execFileSync(node, ['-p', 'process.versions.node'], { encoding: 'utf8' }).trim()}`;
    console.log(`\n${runtime}`);
    return { runtime, result: runTests(node, join(root, `test/.output/node-${major}.json`)) };
  } catch (error) {
    return { runtime: `Node ${major}`, result: error instanceof Error ? error.message : String(error) };
  }
}

function runTests(node: string, report: string): Tally | string {
  rmSync(report, { force: true });
  const { status, signal } = spawnSync(
    node,
    [
      join(root, 'node_modules/vitest/vitest.mjs'),
      ...['run', '--config', 'test/vitest.config.ts', '--reporter=dot', '--reporter=json'],
      ...projects.flatMap((project) => ['--project', project]),
    ],
    { cwd: root, stdio: 'inherit', env: { ...process.env, QUIESCE_BUILT: '1', QUIESCE_REPORT: report } },
  );
  if (signal !== null) return `vitest was ended by ${signal}`;
  const result = tally(report, status ?? 1);
  return result.passed === 0 ? `vitest ran nothing (exit code ${status})` : result;
}

function print(rows: Row[]): void {
  const line = (...cells: (string | number)[]) => {
    const [first, ...numbers] = cells;
    console.log(String(first).padEnd(16) + numbers.map((cell) => String(cell).padStart(9)).join(''));
  };
  console.log();
  line('runtime', 'passed', 'failed', 'skipped');
  for (const { runtime, result } of rows) {
    if (typeof result === 'string') console.log(`${runtime.padEnd(16)} did not run: ${result}`);
    else line(runtime, result.passed, result.failed, result.skipped);
  }
}
