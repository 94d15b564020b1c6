// The guide, chapter 3, "Channels": a worker runs until it receives "shutdown" or its channel closes.
//
// The guide polls the channel between two sleeps, so it notices the message up to 100 ms late. Here `select` waits for
// both at once. A closed channel rejects with a `ClosedError`. `settle` turns that into a value, like `recv` in Rust.
// In Rust, the sender is in an `Option`, to be taken and dropped (chapter 5). Here you can call `close` at any time,
// and twice.

import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { channel, type Receiver, type Sender } from '@quiesce/channel';
import { scope } from '@quiesce/scope';
import { select, settle, sleep } from '@quiesce/select';

const clock = new VirtualClock(); // takes no real time, and each run prints the same

async function worker(messages: Receiver<string>): Promise<void> {
  for (;;) {
    const { branch, value } = await select.biased({ message: settle(messages), tick: sleep(100, { clock }) });
    if (branch === 'tick') {
      console.log(`worker: processing at ${clock.now()} ms`);
    } else if (value.status === 'rejected') {
      console.log('worker: channel disconnected');
      break;
    } else if (value.value === 'shutdown') {
      console.log('worker: received shutdown');
      break;
    }
  }
  console.log('worker: cleaning up and exiting');
}

async function main(how: string, stop: (tx: Sender<string>) => unknown): Promise<void> {
  const [tx, rx] = channel<string>(1);
  await scope(async (s) => {
    s.spawn(() => worker(rx), { name: 'worker' });
    await sleep(250, { clock });
    console.log(`main: ${how}`);
    await stop(tx);
  }); // the guide does not join its worker; a scope always does
  console.log('main: the worker has ended');
}

await clock.run(() => main('sends "shutdown"', (tx) => tx.send('shutdown')));
await clock.run(() => main('closes the channel', (tx) => tx.close()));

// Output:
//   worker: processing at 100 ms
//   worker: processing at 200 ms
//   main: sends "shutdown"
//   worker: received shutdown
//   worker: cleaning up and exiting
//   main: the worker has ended
//   worker: processing at 350 ms
//   worker: processing at 450 ms
//   main: closes the channel
//   worker: channel disconnected
//   worker: cleaning up and exiting
//   main: the worker has ended
