// The program of `npm run demo`. It starts a service, loads it, sends SIGTERM, and shows what happened to every request.
//
//   npm run demo                                       the service
//   npm run demo -- --without                          the same service without a listener for the signal
//   npm run demo -- --seconds 3 --connections 50       a short run
//   npm run demo -- --fault hook|signal|client|job     a run with a hook that hangs, or with another fault
//   npm run demo -- --example worker-loop              five workers and a Ctrl-C; also --without, --signal SIGTERM
//   npm run demo -- --example fleet                    jobs on three workers, cancelled from another one; also --without

import { constants } from 'node:os';
import { parseArgs } from 'node:util';
import { faults } from './service/demo/faults.ts';

const options = {
  example: { type: 'string', default: 'service' },
  without: { type: 'boolean', default: false },
  seconds: { type: 'string' },
  connections: { type: 'string' },
  fault: { type: 'string' },
  signal: { type: 'string' },
} as const;

type Values = ReturnType<typeof readArguments>;

const values = readArguments();
const example = oneOf('example', values.example, ['service', 'worker-loop', 'fleet']);
// The default action of these signals would leave the child processes behind. SIGHUP reaches all processes itself.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => process.exit(128 + constants.signals[signal]));
}
const isGood = await { service, 'worker-loop': workerLoop, fleet }[example](values);
process.exitCode = isGood ? 0 : 1;

function readArguments() {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    const known = Object.keys(options).map((name) => `--${name}`);
    return reject(`${(error as Error).message.split('. ')[0]}; it takes ${known.join(', ')}`);
  }
}

async function service({ without, seconds, connections, fault, signal }: Values): Promise<boolean> {
  if (signal !== undefined) reject('--signal is for --example worker-loop; the service gets SIGTERM');
  if (without && fault !== undefined)
    reject('--fault is for the service with Quiesce, and cannot be combined with --without');
  const plan = {
    seconds: number('seconds', seconds, 8, 0.1, 600),
    connections: number('connections', connections, 300, 1, 2_000),
    isWithout: without,
    fault: fault === undefined ? undefined : oneOf('fault', fault, faults),
  };
  if (!Number.isInteger(plan.connections)) reject(`--connections takes a whole number, got ${connections}`);
  // Loaded here, so that wrong arguments are rejected at once.
  const { runDemo } = await import('./service/demo/run.ts');
  return runDemo(plan, process.stdout);
}

async function workerLoop({ without, seconds, connections, fault, signal = 'SIGINT' }: Values): Promise<boolean> {
  rejectForeign('service', { seconds, connections, fault });
  const chosen = oneOf('signal', signal, ['SIGINT', 'SIGTERM']);
  const { runWorkerLoop } = await import('./worker-loop-demo.ts');
  return runWorkerLoop(chosen, without);
}

async function fleet({ without, seconds, connections, fault, signal }: Values): Promise<boolean> {
  rejectForeign('service', { seconds, connections, fault });
  rejectForeign('worker-loop', { signal });
  const { runFleetDemo } = await import('./fleet/demo/run.ts');
  return runFleetDemo(without);
}

function rejectForeign(example: string, values: object): void {
  const foreign = Object.entries(values).find(([, value]) => value !== undefined);
  if (foreign !== undefined) reject(`--${foreign[0]} is for --example ${example}`);
}

function number(name: string, text: string | undefined, preset: number, least: number, most: number): number {
  if (text === undefined) return preset;
  const value = Number(text);
  if (text.trim() !== '' && value >= least && value <= most) return value;
  return reject(`--${name} takes a number from ${least} to ${most}, got ${JSON.stringify(text)}`);
}

function oneOf<T extends string>(name: string, text: string, known: readonly T[]): T {
  const found = known.find((one) => one === text);
  const list = `${known.slice(0, -1).join(', ')} or ${known.at(-1)}`;
  return found ?? reject(`--${name} takes ${list}, got ${JSON.stringify(text)}`);
}

function reject(text: string): never {
  console.error(`demo: ${text}`);
  process.exit(2);
}
