import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { checkPeer, readVersion } from '../src/node/check-peer.ts';

test('`checkPeer` accepts an installed peer of a supported major version', () => {
  expect(() => checkPeer('drainWorker()', 'bullmq', [6])).not.toThrow();
});

test('`checkPeer` names the call, the installed version and the versions that fit', () => {
  expect(() => checkPeer('drainWorker()', 'bullmq', [7, 8])).toThrow(
    /^drainWorker\(\) supports bullmq \^7 \|\| \^8, and bullmq 6\.\d+\.\d+ is installed: npm install "bullmq@\^7 \|\| \^8"$/,
  );
});

test('`checkPeer` reads the version of a peer whose exports hide its package.json', () => {
  expect(() => checkPeer('reply()', '@hono/node-server', [1])).toThrow(/@hono\/node-server 2\./);
});

test('`checkPeer` passes when the version of the peer cannot be read', () => {
  expect(() => checkPeer('reply()', 'a-package-that-is-not-installed', [1])).not.toThrow();
});

test('`checkPeer` reads the version of a peer that has no entry for CommonJS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'peer-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const peer = join(folder, 'node_modules', 'only-modules');
  mkdirSync(peer, { recursive: true });
  writeFileSync(join(peer, 'index.js'), '');
  const manifest = { name: 'only-modules', version: '9.1.2', type: 'module', exports: { import: './index.js' } };
  writeFileSync(join(peer, 'package.json'), JSON.stringify(manifest));
  expect(readVersion('only-modules', join(folder, 'program.js'))).toBe('9.1.2');
});
