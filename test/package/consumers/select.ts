// A user's program, compiled against the installed tarball and run with it. It throws on a wrong result.
import { CancellationToken } from '@quiesce/cancellation-token';
import {
  CleanupTimeoutError,
  interval,
  match,
  repeat,
  select,
  selectEach,
  settle,
  sleep,
  timeout,
  trySelect,
} from '@quiesce/select';

async function main(): Promise<void> {
  const token = new CancellationToken();
  const outcome = await select.biased({ stop: token.cancelled(), work: Promise.resolve(7), late: sleep(60_000) });
  if (outcome.branch !== 'work') throw new Error(`${outcome.branch} won`);
  const value: number = outcome.value;
  if (value !== 7) throw new Error(`the value is ${value}`);

  const matched = await select({ odd: match(Promise.resolve(2), (n) => n % 2 === 1), else: () => 'none' as const });
  if (matched.branch !== 'else' || matched.value !== 'none') throw new Error(`${matched.branch} won`);
  if (trySelect({ stop: token }).ok) throw new Error('nothing is ready');
  const settled = await select({ fails: settle(Promise.reject(new Error('no'))) });
  if (settled.value.status === 'fulfilled') throw new Error('it failed');
  const work = async (own: CancellationToken): Promise<boolean> => own.isCancelled;
  if (await timeout(60_000, work)) throw new Error('it was in time');
  let turns = 0;
  for await (const { branch } of selectEach({ tick: interval(1), again: repeat(async () => 1) })) {
    if (branch === 'tick' && ++turns === 3) break;
  }
  const error = new CleanupTimeoutError(5, [{ name: 'task', ageMs: 7 }]);
  if (error.unfinished[0]?.name !== 'task') throw new Error(error.message);
}

void main();
