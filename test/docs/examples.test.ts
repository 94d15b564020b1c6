import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { format } from 'node:util';
import * as broadcastChannel from '@quiesce/broadcast-channel';
import * as broadcastTesting from '@quiesce/broadcast-channel/testing';
import * as cancellationToken from '@quiesce/cancellation-token';
import * as testing from '@quiesce/cancellation-token/testing';
import * as channel from '@quiesce/channel';
import * as effect from '@quiesce/effect';
import * as effectNode from '@quiesce/effect/node';
import * as httpDrain from '@quiesce/http-drain';
import * as scope from '@quiesce/scope';
import * as select from '@quiesce/select';
import * as shutdown from '@quiesce/shutdown';
import * as workerPool from '@quiesce/worker-pool';
import * as workerPoolNode from '@quiesce/worker-pool/node';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { allFences, type Fence } from './fences.ts';

const packages: Record<string, object> = {
  '@quiesce/cancellation-token': cancellationToken,
  '@quiesce/cancellation-token/testing': testing,
  '@quiesce/select': select,
  '@quiesce/broadcast-channel': broadcastChannel,
  '@quiesce/broadcast-channel/testing': broadcastTesting,
  '@quiesce/channel': channel,
  '@quiesce/scope': scope,
  '@quiesce/shutdown': shutdown,
  '@quiesce/http-drain': httpDrain,
  '@quiesce/worker-pool': workerPool,
  '@quiesce/worker-pool/node': workerPoolNode,
  '@quiesce/effect': effect,
  '@quiesce/effect/node': effectNode,
};
/** Types have no value to find them by. */
const types: Record<string, readonly string[]> = {
  '@quiesce/cancellation-token': ['Source', 'Waiter', 'Clock'],
};

const output = fileURLToPath(new URL('../.output/examples/', import.meta.url));
const fences = allFences();

/** The example as a module: what it uses is imported, unless it says so itself, and what it prints is kept. */
function moduleOf(fence: Fence): string {
  const imports = Object.entries(packages).flatMap(([name, exports]) => {
    const used = [...Object.keys(exports), ...(types[name] ?? []).map((type) => `type ${type}`)].filter((item) =>
      new RegExp(`\\b${item.replace('type ', '')}\\b`).test(fence.code),
    );
    const isWritten = fence.code.includes(`from '${name}'`);
    return used.length === 0 || isWritten ? [] : [`import { ${used.join(', ')} } from '${name}';`];
  });
  const lines = [
    ...imports,
    'export const printed: unknown[][] = [];',
    'const console = { log: (...values: unknown[]) => void printed.push(values), error: () => {} };',
    fence.code,
    'void console;',
  ];
  return `${lines.join('\n')}\n`;
}

function fileOf(fence: Fence): string {
  return `${output}${fence.place.replaceAll(/[^\w-]+/g, '_')}.ts`;
}

/** Examples of child processes let go of the channel to the parent, which here is what keeps the tests' own process. */
afterEach(() => {
  process.channel?.ref();
});

describe('the examples in docstrings and Markdown', () => {
  beforeAll(() => {
    rmSync(output, { recursive: true, force: true });
    mkdirSync(output, { recursive: true });
    for (const fence of fences) writeFileSync(fileOf(fence), moduleOf(fence));
  });

  it('are there', () => {
    expect(fences.length).toBeGreaterThan(20);
    expect(fences.filter((fence) => fence.promised.length > 0).length).toBeGreaterThan(20);
  });

  it.each(fences)('$place prints what it promises', async (fence) => {
    const { printed } = (await import(fileOf(fence))) as { printed: unknown[][] };
    expect(printed.map((values) => format(...values))).toEqual(fence.promised);
  });

  it('compile under the strictest settings', () => {
    const config = {
      extends: '../../tsconfig.node.json',
      include: ['*.ts'],
      exclude: [],
      // An example may show a name without using it.
      compilerOptions: { noEmit: true, rootDir: '../../..', noUnusedLocals: false, noUnusedParameters: false },
    };
    writeFileSync(`${output}tsconfig.json`, JSON.stringify(config));
    const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
    const { stdout } = spawnSync(process.execPath, [tsc, '-p', output], { encoding: 'utf8' });
    expect(stdout).toBe('');
  }, 60_000);
});
