// The tools of docs/examples/cli, interrupted by a real Ctrl-C and run again.
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { drive, type Ended, type Script } from './shutdown/drive.ts';

const examples = new URL('../../docs/examples/cli/', import.meta.url);
const total = 10_000;

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'quiesce-cli-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Returns the lines of a file, sorted. */
function linesOf(folder: string, file: string): string[] {
  const path = join(folder, file);
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1).sort() : [];
}

/** Sends a SIGINT when that many letters have arrived. */
function interruptAt(count: number, folder: string): Script {
  const watch = (child: ChildProcess): void => {
    const timer = setInterval(() => {
      if (linesOf(folder, 'outbox.txt').length < count) return;
      clearInterval(timer);
      child.kill('SIGINT');
    }, 5);
    child.once('exit', () => clearInterval(timer));
  };
  return [['sending', watch]];
}

const run = (tool: string, folder: string, script: Script = []): Promise<Ended> =>
  drive(`../../../docs/examples/cli/${tool}`, [folder], script);

describe.each(['send', 'send-with-p-limit'])('%s', (tool) => {
  it('ends the running work at Ctrl-C, and continues from there on the next start, so that each letter is sent exactly once', async () => {
    const folder = newFolder();
    for (const count of [200, 2_000]) {
      const { lines, code, stderr } = await run(tool, folder, interruptAt(count, folder));
      const sent = linesOf(folder, 'outbox.txt');
      expect({ code, last: lines.at(-1) }, stderr).toEqual({
        code: 130,
        last: `${total - sent.length} letters are left`,
      });
      expect(sent.length).toBeLessThan(total);
      expect(linesOf(folder, 'journal.txt')).toEqual(sent);
    }
    const before = linesOf(folder, 'outbox.txt').length;
    const { lines, code, stderr } = await run(tool, folder);
    expect({ code, lines }, stderr).toEqual({
      code: 0,
      lines: [`sending ${total - before} letters`, '0 letters are left'],
    });
    const sent = linesOf(folder, 'outbox.txt');
    expect([sent.length, new Set(sent).size]).toEqual([total, total]);
  }, 300_000);

  it('exits with 1, and prints the error, when a letter cannot be sent', async () => {
    const folder = newFolder();
    mkdirSync(join(folder, 'outbox.txt'));
    const { lines, code, stderr } = await run(tool, folder);
    expect([code, lines.at(-1)]).toEqual([1, `${total} letters are left`]);
    expect(stderr).toContain('EISDIR');
  }, 60_000);
});

it('the README states the lines of both programs, and the one with Quiesce has fewer', () => {
  const read = (name: string): string => readFileSync(new URL(name, examples), 'utf8');
  const linesIn = (name: string): number => read(name).match(/^\s*[^\s/].*$/gm)?.length ?? 0;
  const [ours, other] = [linesIn('send.ts'), linesIn('send-with-p-limit.ts')];
  expect(read('README.md')).toMatch(new RegExp(`\\bhas ${ours} lines, and the other one\\s+has ${other}\\.`));
  expect(ours).toBeLessThan(other);
});
