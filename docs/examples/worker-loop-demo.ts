import { drive, lost, type Run } from './drive.ts';
import { paint, stamp } from './terminal.ts';

/** Runs the worker loop in its own process, sends a real signal, and shows the result. Returns whether nothing was lost. */
export async function runWorkerLoop(signal: 'SIGINT' | 'SIGTERM', isWithout: boolean): Promise<boolean> {
  const example = isWithout ? 'worker-loop-without' : 'worker-loop';
  console.log(`\n  docs/examples/${example}.ts, in a process of its own\n`);
  const run = await drive(example, {
    signal,
    ticks: 3,
    onLine: show,
    onSignal: (at) => console.log(stamp(at), paint('yellow', `── ${signal} ──────────────────────────────────────`)),
  });
  return report(run);
}

function show(line: string, at: number): void {
  const isNews = line.includes('cleanup') || line.includes('flushing') || line.startsWith('main:');
  console.log(stamp(at), isNews ? paint('cyan', line) : line);
}

function report(done: Run): boolean {
  const missing = lost(done);
  const total = [...done.iterations.values()].reduce((sum, count) => sum + count, 0);
  const end = done.killedBy === null ? `exit code ${done.code}` : `killed by ${done.killedBy}`;
  console.log();
  console.log(`  iterations     ${total} by ${done.iterations.size} workers`);
  console.log(
    `  cleaned up     ${done.cleanedUp.length === 0 ? 'none' : `${done.cleanedUp.join(', ')}, in this order`}`,
  );
  console.log(`  from signal    ${done.elapsed.toFixed(0)} ms to the end of the process`);
  console.log(`  ended          ${end}`);
  const isClean = missing.length === 0 && done.code === 0;
  const verdict = isClean
    ? paint('green', 'nothing was lost: every worker cleaned up, and the process exited with 0')
    : paint('red', `LOST: no cleanup of worker ${missing.join(', ') || 'none'}; ${end}`);
  console.log(`  verdict        ${verdict}\n`);
  return isClean;
}
