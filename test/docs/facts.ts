// What the figures in READMEs have to be: computed, or read off the test that asserts them.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { adapters } from '../conformance/replay/adapters.ts';
import { readSuite } from '../conformance/replay/recordings.ts';
import { inKilobytes, sizeOfPackage } from '../package/bundle.ts';
import { publicPackages, root } from '../package/packages.ts';
import type { Facts } from './gates/figures.ts';

/** Every fact but sizes. */
export function facts(): Facts {
  const recorded = new Map(adapters.map((adapter) => [adapter.suite, replayed(adapter)]));
  return new Map([
    ['fact:node-least', readOff('package.json', /"node": ">=([\d.]+)"/)],
    ['fact:tokio-operations', grouped([...recorded.values()].reduce((sum, count) => sum + count, 0))],
    ...[...recorded].map(([suite, count]) => [`fact:tokio-${suite}`, grouped(count)] as const),
    // These tests assert a growth of less than one byte, which is none: no object is smaller.
    ['fact:bytes-a-turn', readOff('packages/select/test/retention.leak.ts', /keeps (0) bytes a turn/)],
    [
      'fact:bytes-a-task',
      asserted(
        '0',
        'packages/scope/test/alive.leak.ts',
        /a million tasks have run keeps nothing[\s\S]{1,200}toBeLessThan\(1\)/,
      ),
    ],
    [
      'fact:bytes-a-hand-over',
      asserted('0', 'packages/effect/test/handovers.leak.ts', /inOneFiber\(work\)\)\.toBeLessThan\(1\)/),
    ],
    [
      'fact:deep',
      grouped(Number(readOff('packages/cancellation-token/test/deep.slow.test.ts', /= ([\d_]+);/).replaceAll('_', ''))),
    ],
    ['fact:turns', grouped(Number(readOff('packages/cancellation-token/src/budget.ts', /COMPLETIONS = (\d+)/)))],
    ['fact:bench-node', readOff('docs/benchmarks.md', /^## Tokens, Node (\d+)\./m)],
    ['fact:bench-newer-node', readOff('docs/benchmarks.md', /^## Tokens, [\s\S]*?^## Tokens, Node (\d+)\./m)],
    [
      'fact:bench-child-newer',
      readOff(
        'docs/benchmarks.md',
        /^## Tokens, [\s\S]*?^## Tokens, [\s\S]*?AbortSignal\.any +\|[^|]*\| ([\d.]+) better/m,
      ),
    ],
    ['fact:bench-ages', better('20,000 tasks started in one run', 'the same without ages')],
    ['fact:bench-child', better('child made and disposed', 'AbortSignal.any')],
    ['fact:bench-callback', better('callback added and removed, beside 10,000', 'addEventListener')],
    ['fact:bench-ready', better('a branch that is ready', 'ts-chan')],
    ['fact:bench-broadcast', better('one message at a time to 64 receivers', 'Effect PubSub')],
  ]);
}

/** `size:select` and the like, of what was built. */
export async function sizes(): Promise<Facts> {
  const each = publicPackages().map(async ({ folder }) => {
    return [`size:${folder}`, inKilobytes(await sizeOfPackage(folder))] as const;
  });
  return new Map(await Promise.all(each));
}

/** How many recorded operations of a suite the conformance tests replay. */
function replayed({ suite, notYet }: (typeof adapters)[number]): number {
  const recordings = fileURLToPath(new URL('../conformance/tokio', import.meta.url));
  const ops = readSuite(recordings, suite).cases.flatMap((found) => found.ops);
  return ops.filter(({ op }) => !Object.hasOwn(notYet, op)).length;
}

function readOff(file: string, figure: RegExp): string {
  const [, found] = figure.exec(readFileSync(`${root}${file}`, 'utf8')) ?? [];
  if (found === undefined) throw new Error(`${file} no longer says ${figure}`);
  return found;
}

/** A figure, as long as the test that asserts it does. */
function asserted(figure: string, file: string, assertion: RegExp): string {
  readOff(file, new RegExp(`(${assertion.source})`));
  return figure;
}

/** The first row of docs/benchmarks.md about this work and this rival: by how many times we are better there. */
function better(work: string, rival: string): string {
  const rows = readFileSync(`${root}docs/benchmarks.md`, 'utf8')
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()));
  const start = rows.findIndex(([, cell]) => cell?.startsWith(work) === true);
  const length = rows.slice(start + 1).findIndex(([, cell]) => cell !== '');
  const row = rows.slice(start, start + 1 + length).find(([, , , against]) => against?.startsWith(rival) === true);
  const [, figure] = /^(?:ratio )?([\d,.]+)/.exec(row?.[5] ?? '') ?? [];
  if (figure === undefined) throw new Error(`docs/benchmarks.md has no row "${work}" against "${rival}"`);
  return figure;
}

function grouped(count: number): string {
  return count.toLocaleString('en');
}
