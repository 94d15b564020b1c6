import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { LogEvent } from 'quiesce/node';
import { Census, type Counts } from './census.ts';
import { type Ended, startChild } from './child.ts';
import type { Fault } from './faults.ts';
import { type Listener, startIdler, startListener } from './listener.ts';
import { startLoad } from './load.ts';
import type { Postgres, Sessions } from './postgres.ts';

export interface Plan {
  /** How long the load lasts before the signal, in seconds. It continues after the signal. */
  readonly seconds: number;
  readonly connections: number;
  /** Whether the service has no listener for the signal. */
  readonly isWithout: boolean;
  readonly fault: Fault | undefined;
}

/** Shows the run while it lasts. */
export interface Stage {
  say(source: 'demo' | 'service', text: string): void;
  /** Shows an event that the service has logged. */
  log(event: LogEvent): void;
}

/** The result of a run, as seen from outside. */
export interface Outcome {
  readonly plan: Plan;
  readonly port: number;
  readonly ended: Ended;
  /** From the signal to the end of the process, in ms. */
  readonly elapsed: number;
  /** The ids that clients received. */
  readonly acknowledged: readonly string[];
  /** The ids in the database, with duplicates. */
  readonly recorded: readonly string[];
  readonly statuses: ReadonlyMap<number, number>;
  readonly counts: Counts;
  readonly listeners: readonly Listener[];
  readonly sessions: Sessions;
  readonly isPortFree: boolean;
}

const LISTENERS = 3;
/** Drain timeouts: long enough for a slow machine, and short where a fault is to reach it while the user watches. */
const PATIENT = '60000';
const SHORT = '5000';

/** Starts the service, loads it, sends SIGTERM during the load, and collects what happened to every request. */
export async function drive(plan: Plan, postgres: Postgres, stage: Stage): Promise<Outcome> {
  await postgres.prepare();
  let census: Census | undefined;
  const service = startChild(entryOf(plan), {
    env: {
      DATABASE_URL: postgres.url,
      PORT: '0',
      QUEUE: String(5 * plan.connections),
      DRAIN_TIMEOUT: plan.fault === 'client' || plan.fault === 'job' ? SHORT : PATIENT,
    },
    onLine: (line) => {
      const event = eventOf(line);
      if (event === undefined) stage.say('service', line.replace(/^service: /, ''));
      else stage.log(event);
    },
    onTrace: (port) => census?.accepted(Number(port)),
  });
  // When this process ends, for example by Ctrl-C, no other process would stop the service.
  const kill = (): boolean => service.process.kill('SIGKILL');
  process.once('exit', kill);
  try {
    const url = await service.first((line) => /^listening on (http:\S+),/.exec(line)?.[1]);
    const port = Number(new URL(url).port);
    const listeners = await Promise.all(Array.from({ length: LISTENERS }, () => startListener(url)));
    const idler = plan.fault === 'client' ? await startIdler(url) : undefined;
    const job = { note: 'stuck', takes: 600_000, ignoresToken: true };
    const stuck = plan.fault === 'job' ? [await sendJob(url, job)] : [];

    census = new Census(port);
    stage.say('demo', `load: autocannon on ${plan.connections} connections; ${LISTENERS} listeners to events`);
    // Large events, so that a client that reads none of them is noticed.
    const load = startLoad(url, plan.connections, 'x'.repeat(plan.fault === 'client' ? 60_000 : 20));
    // On a slow machine it takes longer until enough jobs are in flight.
    const busy = Promise.all([delay(1_000 * plan.seconds), load.reaches(plan.fault === 'client' ? 200 : 20)]);
    await Promise.race([busy, service.ended]);
    stage.say('demo', `── SIGTERM ── ${count(load.acknowledged.length)} jobs acknowledged, more to come`);
    const again =
      plan.fault === 'signal' ? service.first((line) => eventOf(line)?.state === 'draining' || undefined) : undefined;
    // The long job keeps the service draining until the second signal, which counts only after half a second.
    if (again !== undefined) await sendJob(url, { note: 'long', takes: 5_000 });
    const signalled = performance.now();
    census.signalled();
    service.process.kill('SIGTERM');
    if (again !== undefined) {
      await again;
      await delay(600);
      stage.say('demo', '── SIGTERM ── again');
      service.process.kill('SIGTERM');
    }

    const ended = await service.ended;
    await Promise.all([load.ended, ...listeners.map((listener) => listener.ended)]);
    idler?.leave();
    census.close();
    return {
      ...{ plan, port, ended, listeners, statuses: load.statuses, counts: census.counts() },
      elapsed: ended.at - signalled,
      acknowledged: [...stuck, ...load.acknowledged],
      sessions: await postgres.sessions(),
      recorded: await postgres.ids(),
      isPortFree: await isFree(port),
    };
  } finally {
    kill();
    process.off('exit', kill);
    await service.ended;
  }
}

/** Formats a number with separators: `1,234`. */
export function count(n: number): string {
  return n.toLocaleString('en');
}

/** Returns the event of a line, or `undefined` for a line that is text. */
function eventOf(line: string): LogEvent | undefined {
  return line.startsWith('{') ? JSON.parse(line) : undefined;
}

function entryOf({ isWithout, fault }: Plan): string {
  if (isWithout) return 'start-without';
  return fault === 'hook' ? 'start-hanging-hook' : 'start';
}

/** Sends a job and returns its id. */
async function sendJob(url: string, job: { note: string; takes: number; ignoresToken?: boolean }): Promise<string> {
  const body = JSON.stringify(job);
  const headers = { 'content-type': 'application/json', connection: 'close' };
  const response = await fetch(`${url}/jobs`, { method: 'POST', headers, body });
  return ((await response.json()) as { id: string }).id;
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
