// A user's program, compiled against the installed tarball and run with it. It throws on a wrong result.
import { broadcast, CancellationToken, channel, scope, select } from 'quiesce';

async function main(): Promise<void> {
  const stop = new CancellationToken();
  const [tx, rx] = channel<number>(1);
  const [news, reader] = broadcast<number>(1);
  await tx.send(1);
  news.send(2);
  const sum = await scope(async (s) => {
    const first = s.spawn(() => select({ job: rx, stop }));
    const second = s.spawn(() => reader.recv());
    const { value } = await first;
    return Number(value) + (await second);
  });
  if (sum !== 3) throw new Error(`the scope gave ${sum}`);
}

void main();
