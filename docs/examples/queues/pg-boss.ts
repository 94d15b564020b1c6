import { setTimeout as send } from 'node:timers/promises'; // in place of a mail server
import { drainableQueue } from '@quiesce/adapters/pg-boss';
import { runMain } from '@quiesce/shutdown';
import PgBoss from 'pg-boss';

const boss = new PgBoss(process.env['DATABASE_URL'] ?? 'postgres://localhost/postgres');
boss.on('error', (error) => console.error(error));

await runMain(
  async (_scope, shutdown) => {
    await boss.start();
    shutdown.hook('pg-boss', () => boss.stop({ graceful: false })); // after the drain
    await boss.createQueue('mails');
    const mails = drainableQueue<{ to: string }>(
      boss,
      'mails',
      async ({ data }, token) => {
        console.log('sending to', data.to);
        await send(60_000, undefined, { signal: token.signal });
      },
      { concurrency: 5 },
    );
    shutdown.add(mails);
    await shutdown.stopAccepting.cancelled();
  },
  { drainTimeout: 1_000 },
);
