// A user's test, compiled against the installed tarball and run with it. It throws on a wrong result.
import { cancelEverywhere, type ExploreReport, explore, ScheduleError, type World } from '@quiesce/testing';

async function lost(world: World): Promise<void> {
  let shown = '';
  const load = world.external('load', (text: string) => text);
  const show = async (text: string): Promise<void> => {
    shown = await load(text);
  };
  await Promise.all([show('a'), show('ab')]);
  if (shown !== 'ab') throw new Error(`shown: ${shown}`);
}

async function main(): Promise<void> {
  const error: unknown = await explore(lost).catch((reason) => reason);
  if (!(error instanceof ScheduleError) || error.kind !== 'test') throw new Error(`no failure was found: ${error}`);
  const report: ExploreReport = await cancelEverywhere(async (world: World, signal: AbortSignal) => {
    await world.external('save', ['saved'])({ signal });
  });
  if (report.stoppedBy !== 'exhausted') throw new Error(`stopped by ${report.stoppedBy}`);
}

void main();
