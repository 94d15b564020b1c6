// A user's program, compiled against the installed tarball and run with it. It throws on a wrong result.
import { runEffect } from '@quiesce/effect';
import { CurrentShutdown, inFlight, launch } from '@quiesce/effect/node';
import { Shutdown } from '@quiesce/shutdown';
import { Effect, Layer } from 'effect';

async function main(): Promise<void> {
  const log: string[] = [];
  const shutdown = new Shutdown();
  const app = Layer.effectDiscard(Effect.addFinalizer(() => Effect.sync(() => void log.push('closed'))));
  const context = await launch(shutdown, app);
  await runEffect(
    inFlight(
      'request',
      Effect.map(CurrentShutdown, ({ state }) => void log.push(state)),
    ),
    { context },
  );
  shutdown.request();
  await shutdown.stopped();
  if (log.join() !== 'running,closed') throw new Error(`it left ${log.join()}`);
}

void main();
