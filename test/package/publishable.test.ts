import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { publicPackages, root } from './packages.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'quiesce-publishable-'));
  writeFileSync(join(folder, 'package.json'), '{ "main": "./dist/index.cjs", "types": "./dist/index.d.ts" }');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function build(...files: string[]): void {
  mkdirSync(join(folder, 'dist'));
  for (const file of files) writeFileSync(join(folder, 'dist', file), '');
}

/** Returns the message of the guard when a tool publishes the folder, or an empty text. */
function refusal(agent: string): string {
  const env = { ...process.env, npm_config_user_agent: agent };
  const guard = join(root, 'test/package/publishable.mjs');
  const { status, stderr } = spawnSync(process.execPath, [guard], { cwd: folder, encoding: 'utf8', env });
  expect(status).toBe(stderr === '' ? 0 : 1);
  return stderr;
}

describe('publishing', () => {
  it('is refused with npm, which would publish the exports of the workspace', () => {
    build('index.cjs', 'index.d.ts');
    expect(refusal('npm/10.8.2 node/v20.20.2 linux x64')).toContain('publish with pnpm');
  });

  it('is refused when a built file is missing', () => {
    expect(refusal('pnpm/12.21.0 npm/? node/v20.20.2 linux x64')).toContain('there is no ./dist/index.cjs');
    build('index.cjs');
    expect(refusal('pnpm/12.21.0 npm/? node/v20.20.2 linux x64')).toContain('there is no ./dist/index.d.ts');
  });

  it('continues with pnpm and built files', () => {
    build('index.cjs', 'index.d.ts');
    expect(refusal('pnpm/12.21.0 npm/? node/v20.20.2 linux x64')).toBe('');
  });
});

test.each(publicPackages())('$manifest.name runs the guard before it is published', ({ manifest }) => {
  expect(manifest.scripts).toEqual({ prepublishOnly: 'node ../../test/package/publishable.mjs' });
});
