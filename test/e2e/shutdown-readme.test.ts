// The service in the README of @quiesce/shutdown, run unchanged, and the output that the README shows.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { drive } from './shutdown/drive.ts';

const readme = readFileSync(new URL('../../packages/shutdown/README.md', import.meta.url), 'utf8');
const [, program = ''] = /```typescript\n([\s\S]*?)```/.exec(readme) ?? [];
const [, output = ''] = /```text\n([\s\S]*?)```/.exec(readme) ?? [];
const folder = fileURLToPath(new URL('../.output/readme/', import.meta.url));

/** Returns a port that is free at this moment. */
function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

function send(port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ port, path, agent: false }, (response) => {
      let body = '';
      response.on('data', (chunk) => {
        body += String(chunk);
      });
      response.on('end', () => resolve(`${response.statusCode} ${body.trim()}`));
    }).on('error', reject);
  });
}

it('the main of a service takes fewer than 30 lines', () => {
  const main = program.slice(program.indexOf('await runMain'));
  expect(main.trim().split('\n').length).toBeLessThan(30);
  expect(main).toContain('shutdown.hook');
});

it('serves the request in flight at SIGTERM, and prints the output of the README', async () => {
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}service.ts`, program);
  const port = await freePort();
  const answers: Promise<string>[] = [];
  const ended = await drive(
    '../../.output/readme/service',
    [],
    [
      [
        'listening',
        (child) => {
          answers.push(send(port, '/ready'), send(port, '/'));
          // The second request is in flight for 300 ms once the first one has been answered.
          void answers[0]?.then(() => setTimeout(() => child.kill('SIGTERM'), 50));
        },
      ],
    ],
    { env: { PORT: String(port) } },
  );
  expect(await Promise.all(answers)).toEqual(['200 running', '200 served']);
  expect([ended.code, ended.killedBy]).toEqual([0, null]);
  const shown = output.trim().split('\n');
  const isLog = (line: string): boolean => /^(shop: | {2})/.test(line);
  const timeless = (text: string): string[] =>
    text
      .trim()
      .replaceAll(/\d+(\.\d)? m?s\b/g, '0 ms')
      .split('\n');
  expect(timeless(ended.stderr)).toEqual(shown.filter(isLog));
  expect(ended.lines).toEqual(shown.filter((line) => !isLog(line)));
});
