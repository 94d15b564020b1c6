// The guide, chapter 6, "Understanding tokio::select!": waits for several things, takes the first, and gives up the others.
//
// The guide is wrong in its fourth point, "Biased (checks branches in order by default)": Tokio begins at a random branch, as
// `select` does here; in order is what `biased;` asks for, here `select.biased`. And what Rust drops cannot be dropped in
// JavaScript: a function that loses is cancelled through its token, and has ended when `select` goes on.

import { CancellationToken } from '@quiesce/cancellation-token';
import { channel } from '@quiesce/channel';
import { select, sleep } from '@quiesce/select';

async function download(name: string, ms: number, token: CancellationToken): Promise<string> {
  const { branch } = await select({ token, done: sleep(ms) });
  console.log(`${name} ${branch === 'done' ? 'is complete' : 'was cancelled, and has cleaned up'}`);
  return name;
}

// The guide's "Key Properties", 1 to 3: all are started, the first to complete wins, the others have ended before this goes on.
const first = await select({
  slow: (token) => download('slow', 60_000, token),
  fast: (token) => download('fast', 5, token),
  never: CancellationToken.never,
});
console.log(`the winner: ${first.branch}`);

// What Tokio calls cancel safety. What loses has given nothing: the message is still in the channel.
const [tx, messages] = channel<string>(1);
await tx.send('hello');
const ready = CancellationToken.alreadyCancelled('stop');
await select.biased({ ready, messages });
console.log(`still there: ${await messages.recv()}`);

// 4: when several are ready, who wins?
const winners = new Set<string>();
const biasedWinners = new Set<string>();
for (let turn = 0; turn < 1_000; turn++) {
  winners.add((await select({ a: ready, b: ready })).branch);
  biasedWinners.add((await select.biased({ a: ready, b: ready })).branch);
}
console.log(`by default: ${[...winners].sort().join(' and ')}; biased: ${[...biasedWinners].join(' and ')}`);

// Output:
//   fast is complete
//   slow was cancelled, and has cleaned up
//   the winner: fast
//   still there: hello
//   by default: a and b; biased: a
