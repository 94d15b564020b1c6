// A program of a user's, compiled against and run on the installed tarball; it throws when something is not as it should be.
import { CancellationToken } from '@quiesce/cancellation-token';
import { select, sleep } from '@quiesce/select';

async function main(): Promise<void> {
  const token = new CancellationToken();
  const outcome = await select.biased({ stop: token.cancelled(), work: Promise.resolve(7), late: sleep(60_000) });
  if (outcome.branch !== 'work') throw new Error(`${outcome.branch} won`);
  const value: number = outcome.value;
  if (value !== 7) throw new Error(`the value is ${value}`);
}

void main();
