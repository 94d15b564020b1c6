// What `npm run demo` runs: a service under load, a real SIGTERM in the middle of it, and what came of everything.
//
//   npm run demo                                       the service
//   npm run demo -- --without                          the same service with nobody listening to the signal
//   npm run demo -- --seconds 3 --connections 50       a short one
//   npm run demo -- --fault hook|signal|client|job     what a hook that hangs, or another of these, comes to
//   npm run demo -- --example worker-loop              five workers and a Ctrl-C; also --without, --signal SIGTERM

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
const example = oneOf('example', values.example, ['service', 'worker-loop']);
// Not by the signal itself, which would let nobody end the processes of the demo. SIGHUP goes to all of them.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => process.exit(128 + constants.signals[signal]));
}
const isGood = await (example === 'service' ? service(values) : workerLoop(values));
process.exitCode = isGood ? 0 : 1;

function readArguments() {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    const known = Object.keys(options).map((name) => `--${name}`);
    return refuse(`${(error as Error).message.split('. ')[0]}; it takes ${known.join(', ')}`);
  }
}

async function service({ without, seconds, connections, fault, signal }: Values): Promise<boolean> {
  if (signal !== undefined) refuse('--signal is for --example worker-loop; the service gets SIGTERM');
  if (without && fault !== undefined) refuse('--fault is for the service with Quiesce, and goes not with --without');
  const plan = {
    seconds: number('seconds', seconds, 8, 0.1, 600),
    connections: number('connections', connections, 300, 1, 2_000),
    isWithout: without,
    fault: fault === undefined ? undefined : oneOf('fault', fault, faults),
  };
  if (!Number.isInteger(plan.connections)) refuse(`--connections takes a whole number, got ${connections}`);
  // Loaded here, so that wrong arguments are refused at once.
  const { runDemo } = await import('./service/demo/run.ts');
  return runDemo(plan, process.stdout);
}

async function workerLoop({ without, seconds, connections, fault, signal = 'SIGINT' }: Values): Promise<boolean> {
  const foreign = Object.entries({ seconds, connections, fault }).find(([, value]) => value !== undefined);
  if (foreign !== undefined) refuse(`--${foreign[0]} is for --example service`);
  const chosen = oneOf('signal', signal, ['SIGINT', 'SIGTERM']);
  const { runWorkerLoop } = await import('./worker-loop-demo.ts');
  return runWorkerLoop(chosen, without);
}

function number(name: string, text: string | undefined, preset: number, least: number, most: number): number {
  if (text === undefined) return preset;
  const value = Number(text);
  if (text.trim() !== '' && value >= least && value <= most) return value;
  return refuse(`--${name} takes a number from ${least} to ${most}, got ${JSON.stringify(text)}`);
}

function oneOf<T extends string>(name: string, text: string, known: readonly T[]): T {
  const found = known.find((one) => one === text);
  const list = `${known.slice(0, -1).join(', ')} or ${known.at(-1)}`;
  return found ?? refuse(`--${name} takes ${list}, got ${JSON.stringify(text)}`);
}

function refuse(text: string): never {
  console.error(`demo: ${text}`);
  process.exit(2);
}
