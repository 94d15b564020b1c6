// A user's program, compiled against the installed tarball and run with it. It throws on a wrong result.
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
