// The guide, chapter 8, "Database Connection Pool": on shutdown every connection is closed.
//
// The guide's pool lends nothing, and closes whatever it holds. This one lends: on shutdown it refuses newcomers, waits for
// the leases that are out, and closes each connection as it comes back. One that will not close is given up, and counted.

import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { scope } from '@quiesce/scope';
import { sleep } from '@quiesce/select';
import { ResourcePool } from '@quiesce/worker-pool';

const clock = new VirtualClock(); // no real time passes, and each run prints the same
const say = (text: string): void => console.log(`${String(clock.now()).padStart(4)} ms  ${text}`);

interface Connection {
  readonly id: number;
}

let made = 0;
const pool = new ResourcePool<Connection>({
  name: 'db',
  max: 3,
  create: () => ({ id: made++ }),
  close: async ({ id }) => {
    await sleep(id === 2 ? 60_000 : 50, { clock }); // the server of the third one does not answer
    say(`connection ${id} closed`);
  },
  closeTimeout: 1_000,
  clock,
});

async function query(ms: number): Promise<void> {
  using lease = await pool.acquire();
  await sleep(ms, { clock });
  say(`query on connection ${lease.resource.id} is done`);
} // given back here

await clock.run(() =>
  scope(async (s) => {
    for (const ms of [50, 500, 50]) s.spawn(() => query(ms));
    await sleep(200, { clock });
    say(`shutdown: ${pool.inFlight} connection in use, ${pool.idle} idle`);
    const closing = pool.close({ timeout: 5_000 });
    await pool.acquire().catch((error) => say(error.message));
    const { closed, timedOut, forced } = await closing;
    say(`all connections are done with: ${closed} closed, ${timedOut} timed out, ${forced} closed under its user`);
  }),
);

// Output:
//     50 ms  query on connection 0 is done
//     50 ms  query on connection 2 is done
//    200 ms  shutdown: 1 connection in use, 2 idle
//    200 ms  acquire: pool "db" is closed; it lends nothing any more
//    250 ms  connection 0 closed
//    500 ms  query on connection 1 is done
//    550 ms  connection 1 closed
//   1200 ms  all connections are done with: 2 closed, 1 timed out, 0 closed under its user
