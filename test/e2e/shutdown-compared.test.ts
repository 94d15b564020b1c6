// The programs that the README of @quiesce/shutdown compares with close-with-grace, run unchanged.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { drive, type Ended, type Script } from './shutdown/drive.ts';

const readme = readFileSync(new URL('../../packages/shutdown/README.md', import.meta.url), 'utf8');
const scopeReadme = readFileSync(new URL('../../packages/scope/README.md', import.meta.url), 'utf8');
const [, section = ''] = /\n## Use cases\n([\s\S]*?)\n## /.exec(readme) ?? [];
const blocks = [...section.matchAll(/```typescript\n([\s\S]*?)```/g)].map(([, program = '']) => program);
const folder = fileURLToPath(new URL('../.output/compared/', import.meta.url));

const names = ['one-close-with-grace', 'one-quiesce', 'several-close-with-grace', 'several-quiesce'] as const;
const programs = names.map((name, index) => ({ name, program: blocks[index] ?? '' }));
const several = programs.slice(2);

function linesOf(program: string): number {
  return program.split('\n').filter((line) => line !== '').length;
}

/** Returns a free port. */
function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** Starts a program, sends a request, and sends SIGTERM while the request is in flight. Returns the exit and the answer. */
async function stop(name: string, source: string): Promise<Ended & { readonly answer: string }> {
  // The database is a stand-in. Here it also prints when a request is in flight.
  const program = source.replace('query: () => sleep(300)', "query: () => (console.log('querying'), sleep(300))");
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}${name}.ts`, program);
  const port = await freePort();
  let answer: Promise<string> = Promise.resolve('');
  const request = (): Promise<string> => {
    const response = fetch(`http://localhost:${port}`, { headers: { connection: 'close' } });
    answer = response.then((found) => found.text());
    return answer;
  };
  const script: Script = program.includes('querying')
    ? [
        ['listening', () => void request()],
        ['querying', 'SIGTERM'],
      ]
    : [['listening', (child) => void request().then(() => child.kill('SIGTERM'))]];
  // Not bundled: close-with-grace is CommonJS, which a bundle of ES modules cannot load.
  const options = { env: { PORT: String(port) }, loader: import.meta.resolve('tsx') };
  const ended = await drive(`../../.output/compared/${name}`, [], script, options);
  return { ...ended, answer: await answer };
}

it('the README states the number of lines of each program', () => {
  const stated = [...section.matchAll(/takes (\d+) lines/g)].map(([, count]) => Number(count));
  expect(stated).toEqual(programs.map(({ program }) => linesOf(program)));
});

it('the README of @quiesce/scope states the same numbers', () => {
  const [one, withRunMain, severalWithOther, severalWithRunMain] = programs.map(({ program }) => linesOf(program));
  const text = scopeReadme.replaceAll(/\s+/g, ' ');
  expect(text).toContain(`close-with-grace takes ${one} lines, \`runMain\` takes ${withRunMain}.`);
  expect(text).toContain(`take ${severalWithRunMain} lines, and close-with-grace takes ${severalWithOther}.`);
});

it.concurrent.each(programs)('$name serves its request and exits with 0 after SIGTERM', async ({ name, program }) => {
  const { answer, code, killedBy } = await stop(name, program);
  expect({ answer, code, killedBy }).toEqual({ answer: 'served\n', code: 0, killedBy: null });
});

describe('with several resources', () => {
  it.concurrent.each(several)('$name awaits its worker', async ({ name, program }) => {
    const { lines } = await stop(`${name}-worker`, program);
    expect(lines).toContain('worker: done');
  });

  it.concurrent.each(several)('$name names a database that does not close, and exits with 1', async (found) => {
    const program = found.program.replace('close: () => sleep(20)', 'close: () => new Promise(() => {})');
    expect(program).not.toBe(found.program);
    const { stderr, code } = await stop(`${found.name}-hang`, program.replaceAll('2_000', '100'));
    expect(stderr).toMatch(/\bdb\b/);
    expect(code).toBe(1);
  });
});
