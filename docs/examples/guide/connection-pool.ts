// The guide, chapter 8, "Database Connection Pool": on shutdown, the pool closes every connection.
//
// The guide's pool lends no connections. This one does. On shutdown it refuses new callers, waits for the leases, and
// closes each connection when it is returned. It gives up on a connection that does not close, and counts it.

import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { scope } from '@quiesce/scope';
import { sleep } from '@quiesce/select';
import { ResourcePool } from '@quiesce/worker-pool';

const clock = new VirtualClock(); // takes no real time, and each run prints the same
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
} // the lease ends here

await clock.run(() =>
  scope(async (s) => {
    for (const ms of [50, 500, 50]) s.spawn(() => query(ms));
    await sleep(200, { clock });
    say(`shutdown: ${pool.inFlightCount} connection in use, ${pool.idleCount} idle`);
    const closing = pool.shutdown({ timeout: 5_000 });
    await pool.acquire().catch((error) => say(error.message));
    const { closedCount: closed, timedOutCount: timedOut, cutOffCount: cutOff } = await closing;
    say(`all connections are done with: ${closed} closed, ${timedOut} timed out, ${cutOff} closed under its user`);
  }),
);

// Output:
//     50 ms  query on connection 0 is done
//     50 ms  query on connection 2 is done
//    200 ms  shutdown: 1 connection in use, 2 idle
//    200 ms  acquire: pool "db" is closed
//    250 ms  connection 0 closed
//    500 ms  query on connection 1 is done
//    550 ms  connection 1 closed
//   1200 ms  all connections are done with: 2 closed, 1 timed out, 0 closed under its user
