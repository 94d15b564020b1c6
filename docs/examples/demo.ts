// What `npm run demo` runs: the worker loop as its own process, a real SIGINT, and what came of it.
//
//   npm run demo                       the worker loop
//   npm run demo -- --without          the same workers with nobody listening to the signal
//   npm run demo -- --signal SIGTERM   another signal

import { parseArgs, styleText } from 'node:util';
import { drive, lost, type Run } from './drive.ts';

const { values } = readArguments();
if (values.signal !== 'SIGINT' && values.signal !== 'SIGTERM') {
  console.error(`demo: --signal takes SIGINT or SIGTERM, got ${JSON.stringify(values.signal)}`);
  process.exit(2);
}
const signal = values.signal;
const example = values.without ? 'worker-loop-without' : 'worker-loop';

function readArguments() {
  try {
    return parseArgs({
      options: { without: { type: 'boolean', default: false }, signal: { type: 'string', default: 'SIGINT' } },
    });
  } catch (error) {
    console.error(`demo: ${(error as Error).message.split('. ')[0]}; it takes --without and --signal SIGINT|SIGTERM`);
    process.exit(2);
  }
}

/** Colour on a terminal, plain text elsewhere. */
function paint(style: Parameters<typeof styleText>[0], text: string): string {
  return process.stdout.isTTY ? styleText(style, text) : text;
}

function stamp(at: number): string {
  return paint('dim', `${(at / 1000).toFixed(2).padStart(6)} s │`);
}

function show(line: string, at: number): void {
  const isNews = line.includes('cleanup') || line.includes('flushing') || line.startsWith('main:');
  console.log(stamp(at), isNews ? paint('cyan', line) : line);
}

console.log(`\n  docs/examples/${example}.ts, as a process of its own\n`);
const run = await drive(example, {
  signal,
  ticks: 3,
  onLine: show,
  onSignal: (at) => console.log(stamp(at), paint('yellow', `── ${signal} ──────────────────────────────────────`)),
});
process.exitCode = report(run) ? 0 : 1;

function report(done: Run): boolean {
  const missing = lost(done);
  const total = [...done.iterations.values()].reduce((sum, count) => sum + count, 0);
  const end = done.killedBy === null ? `exit code ${done.code}` : `killed by ${done.killedBy}`;
  console.log();
  console.log(`  iterations     ${total} by ${done.iterations.size} workers`);
  console.log(
    `  cleaned up     ${done.cleanedUp.length === 0 ? 'nobody' : `${done.cleanedUp.join(', ')}, in this order`}`,
  );
  console.log(`  from signal    ${done.elapsed.toFixed(0)} ms to the end of the process`);
  console.log(`  ended          ${end}`);
  const isClean = missing.length === 0 && done.code === 0;
  const verdict = isClean
    ? paint('green', 'nothing was lost: every worker cleaned up, and the process ended by itself')
    : paint('red', `LOST: no cleanup of worker ${missing.join(', ') || 'none'}; ${end}`);
  console.log(`  verdict        ${verdict}\n`);
  return isClean;
}
