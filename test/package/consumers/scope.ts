// A program of a user's, compiled against and run on the installed tarball; it throws when something is not as it should be.
import { type Scope, scope, type Task } from '@quiesce/scope';

async function main(): Promise<void> {
  const log: string[] = [];
  const sum = await scope(async (s: Scope) => {
    s.defer(() => void log.push('cleanup'));
    const task: Task<number> = s.spawn(async (token) => (token.isCancelled ? 0 : 3));
    return (await task) + 4;
  });
  if (sum !== 7 || log.join() !== 'cleanup') throw new Error(`the scope gave ${sum} and left ${log.join()}`);
}

void main();
