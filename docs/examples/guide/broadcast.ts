// The guide, chapter 6, "Broadcast Channel Pattern": one message stops every task.
//
// Each task has its own receiver and loses no value while it works. A later subscriber misses the message: a broadcast
// is for news. A token stays cancelled, so for a plain "stop" use `cancellation-token.ts`. Here the message carries
// more than that.

import { type BroadcastReceiver, broadcast } from '@quiesce/broadcast-channel';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { scope } from '@quiesce/scope';
import { select, sleep } from '@quiesce/select';

const clock = new VirtualClock(); // takes no real time, and each run prints the same

async function task(id: number, shutdown: BroadcastReceiver<string>): Promise<void> {
  for (;;) {
    const { branch, value } = await select({ shutdown, tick: sleep(300, { clock }) });
    if (branch === 'shutdown') return console.log(`task ${id}: received shutdown: ${value}`);
    console.log(`task ${id}: working at ${clock.now()} ms`);
  }
}

async function main(): Promise<void> {
  const shutdown = broadcast.sender<string>(1);
  await scope(async (s) => {
    for (let id = 0; id < 3; id++) {
      const receiver = shutdown.subscribe();
      s.spawn(() => task(id, receiver), { name: `task ${id}` });
    }
    await sleep(700, { clock });
    console.log('broadcasting shutdown');
    const reached = shutdown.send('maintenance at noon');
    console.log(`${reached} tasks reached`);
  });
  console.log('all tasks have ended');
  console.log(`a late subscriber finds it ${shutdown.subscribe().tryRecv().ok ? 'there' : 'gone'}`);
}

await clock.run(main);

// Output:
//   task 0: working at 300 ms
//   task 1: working at 300 ms
//   task 2: working at 300 ms
//   task 0: working at 600 ms
//   task 1: working at 600 ms
//   task 2: working at 600 ms
//   broadcasting shutdown
//   3 tasks reached
//   task 0: received shutdown: maintenance at noon
//   task 1: received shutdown: maintenance at noon
//   task 2: received shutdown: maintenance at noon
//   all tasks have ended
//   a late subscriber finds it gone
