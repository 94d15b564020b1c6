// The guide, chapter 6, "Understanding tokio::select!": waits for several branches, takes the first, cancels the others.
//
// The guide's fourth point is wrong: "Biased (checks branches in order by default)". Tokio starts at a random branch,
// as `select` does here. For a fixed order, Tokio has `biased;` and Quiesce `select.biased`. And JavaScript cannot drop
// a function as Rust drops a future: `select` cancels a losing function through its token, and awaits it.

import { CancellationToken } from '@quiesce/cancellation-token';
import { channel } from '@quiesce/channel';
import { select, sleep } from '@quiesce/select';

async function download(name: string, ms: number, token: CancellationToken): Promise<string> {
  const { branch } = await select({ token, done: sleep(ms) });
  console.log(`${name} ${branch === 'done' ? 'is complete' : 'was cancelled and has cleaned up'}`);
  return name;
}

// The guide's "Key Properties" 1 to 3: all branches start, the first to complete wins, the others end before it returns.
const first = await select({
  slow: (token) => download('slow', 60_000, token),
  fast: (token) => download('fast', 5, token),
  never: CancellationToken.never,
});
console.log(`the winner: ${first.branch}`);

// Cancel safety, in Tokio's words: a losing receiver takes nothing, so the message is still in the channel.
const [tx, messages] = channel<string>(1);
await tx.send('hello');
const ready = CancellationToken.alreadyCancelled('stop');
await select.biased({ ready, messages });
console.log(`still there: ${await messages.recv()}`);

// 4: which branch wins when several are ready?
const winners = new Set<string>();
const biasedWinners = new Set<string>();
for (let round = 0; round < 1_000; round++) {
  winners.add((await select({ a: ready, b: ready })).branch);
  biasedWinners.add((await select.biased({ a: ready, b: ready })).branch);
}
console.log(`by default: ${[...winners].sort().join(' and ')}; biased: ${[...biasedWinners].join(' and ')}`);

// Output:
//   fast is complete
//   slow was cancelled and has cleaned up
//   the winner: fast
//   still there: hello
//   by default: a and b; biased: a
