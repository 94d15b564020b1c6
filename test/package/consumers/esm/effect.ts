// A user's program, compiled against the installed tarball and run with it. It throws on a wrong result.
import { CancellationToken, type Source, wait } from '@quiesce/cancellation-token';
import { acquireIn, effectFromWork, runEffect, sourceFromQueue, streamFromSource } from '@quiesce/effect';
import { scope } from '@quiesce/scope';
import { Effect, Queue, Stream } from 'effect';

async function main(): Promise<void> {
  const token = new CancellationToken();
  const log: string[] = [];
  const running = runEffect(
    effectFromWork(async (own) => {
      await own.cancelled();
      log.push(String(own.reason));
    }),
    { signal: token },
  );
  token.cancel('stop');
  await running.catch((reason: unknown) => log.push(String(reason)));
  const queue = await runEffect(Queue.bounded<number>(1));
  const jobs: Source<number> = sourceFromQueue(queue);
  Effect.runSync(Queue.offer(queue, 7));
  log.push(String(await wait(jobs)));
  const numbers = await runEffect(
    Stream.runCollect(Stream.take(streamFromSource(CancellationToken.alreadyCancelled(1)), 2)),
  );
  log.push(numbers.join('+'));
  await scope(async (s) => {
    const resource = Effect.acquireRelease(Effect.succeed('held'), () => Effect.sync(() => void log.push('released')));
    log.push(await acquireIn(s, resource));
  });
  if (log.join() !== 'stop,stop,7,1+1,held,released') throw new Error(`it left ${log.join()}`);
}

void main();
