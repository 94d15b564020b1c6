// The data of a real engine is replaced by an older copy of its folder.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPostgresSchema } from '@quiesce/fleet';
import pg from 'pg';
import { describe, it } from 'vitest';
import {
  nats,
  type Program,
  postgres,
  redis,
  startNats,
  startPostgres,
  startRedis,
  type TestServer,
} from '../../adapters/test/servers.ts';
import { expectRepair } from './engine-vocabulary.ts';
import { type EngineKind, engineOf } from './storm/engines.ts';

const rows: [EngineKind, Program, () => Promise<TestServer>][] = [
  ['postgres', postgres, startPostgres],
  // Writes to disk before it answers.
  ['redis', redis, () => startRedis(['--appendonly', 'yes', '--appendfsync', 'always'])],
  ['nats', nats, startNats],
];

describe('cancels that living members saw survive an older copy of the data', { concurrent: true }, () => {
  for (const [kind, program, start] of rows) {
    it(`on ${kind}${program.note}`, { skip: program.isMissing, timeout: 300_000 }, async () => {
      const server = await start();
      const copy = mkdtempSync(join(tmpdir(), 'copy-'));
      // With its owner and rights.
      const copyAll = (from: string, to: string): void => void execFileSync('cp', ['-a', `${from}/.`, to]);
      try {
        if (kind === 'postgres') await prepare(server.port);
        const engines = await Promise.all([1, 2, 3].map(() => engineOf(kind, server.port)));
        await expectRepair(
          engines,
          async () => {
            await server.kill();
            for (const name of readdirSync(server.folder)) rmSync(join(server.folder, name), { recursive: true });
            copyAll(copy, server.folder);
            await server.restart();
          },
          async () => {
            await server.kill();
            copyAll(server.folder, copy);
            await server.restart();
          },
        );
      } finally {
        rmSync(copy, { recursive: true });
        await server.stop();
      }
    });
  }
});

async function prepare(port: number): Promise<void> {
  const pool = new pg.Pool({ host: '127.0.0.1', port, user: 'postgres', max: 1 });
  await createPostgresSchema(pool);
  await pool.end();
}
