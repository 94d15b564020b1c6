import { count, type Outcome } from './drive.ts';
import type { Listener } from './listener.ts';

/** One line of the report. */
export interface Finding {
  readonly isGood: boolean;
  readonly label: string;
  readonly text: string;
}

/** How the acknowledged jobs ended. */
export interface Jobs {
  readonly acknowledged: number;
  readonly once: number;
  readonly missing: number;
  readonly repeated: number;
  /** Jobs in the database whose id no client received. */
  readonly unknown: number;
}

export function compare(acknowledged: readonly string[], recorded: readonly string[]): Jobs {
  const times = new Map<string, number>();
  for (const id of recorded) times.set(id, (times.get(id) ?? 0) + 1);
  const known = new Set(acknowledged);
  const timesOf = [...known].map((id) => times.get(id) ?? 0);
  return {
    acknowledged: acknowledged.length,
    once: timesOf.filter((n) => n === 1).length,
    missing: timesOf.filter((n) => n === 0).length,
    repeated: timesOf.filter((n) => n > 1).length,
    unknown: [...times.keys()].filter((id) => !known.has(id)).length,
  };
}

function textOf({ acknowledged, once, missing, repeated, unknown }: Jobs): string {
  const more = unknown === 0 ? '' : `; ${count(unknown)} more without an acknowledgement`;
  return `${count(acknowledged)} acknowledged: ${count(once)} in the database once, ${count(missing)} never, ${count(repeated)} twice${more}`;
}

/** Whether a listener received each job once, or a count of missed ones, and the end. */
function isComplete({ received, missed, hasSeenEnd }: Listener, recorded: readonly string[]): boolean {
  const jobs = new Set(recorded);
  const isEachKnown = received.every((id) => jobs.delete(id));
  return hasSeenEnd && isEachKnown && jobs.size === missed;
}

/** Returns each guarantee as one line, and whether it was kept. */
export function findings(outcome: Outcome): Finding[] {
  const { counts, listeners, sessions, ended, statuses } = outcome;
  const jobs = compare(outcome.acknowledged, outcome.recorded);
  const complete = listeners.filter((listener) => isComplete(listener, outcome.recorded));
  const end = ended.signal === null ? `exit code ${ended.code}` : `killed by ${ended.signal}`;
  const when = outcome.elapsed < 0 ? 'without a signal' : `${(outcome.elapsed / 1_000).toFixed(1)} s after the signal`;
  const others = [...statuses].filter(([status]) => status !== 202 && status !== 503);
  return [
    {
      label: 'jobs',
      isGood: jobs.once === jobs.acknowledged && jobs.acknowledged > 0 && jobs.unknown === 0,
      text: textOf(jobs),
    },
    {
      label: 'connections',
      isGood: counts.reset === 0,
      text: `${count(counts.accepted)} accepted, ${count(counts.reset)} reset; newcomers: ${count(counts.newcomersReset)} reset and ${count(counts.refused)} refused by the system`,
    },
    {
      label: 'answers',
      isGood: counts.cut === 0 && others.length === 0,
      text: `${count(counts.whole)} complete, ${count(counts.cut)} cut or missing; ${count(statuses.get(503) ?? 0)} of the complete ones were 503`,
    },
    {
      label: 'events',
      isGood: complete.length === listeners.length,
      text: `${complete.length} of ${listeners.length} listeners received all ${count(outcome.recorded.length)} jobs, and the end`,
    },
    {
      label: 'database',
      isGood: sessions.dropped === 0 && sessions.opened > 0,
      text: `${count(sessions.opened)} connections opened, ${count(sessions.opened - sessions.dropped)} closed in order, ${count(sessions.dropped)} dropped`,
    },
    {
      label: 'process',
      isGood: ended.code === 0 && outcome.elapsed >= 0,
      text: `${end}, ${when}`,
    },
    { label: 'port', isGood: outcome.isPortFree, text: `${outcome.port} is ${outcome.isPortFree ? 'free' : 'taken'}` },
  ];
}

/** Returns the last line. */
export function verdict(outcome: Outcome): Finding {
  const bad = findings(outcome).filter(({ isGood }) => !isGood);
  if (bad.length === 0) return { isGood: true, label: 'verdict', text: 'nothing was lost' };
  const { missing, repeated, unknown } = compare(outcome.acknowledged, outcome.recorded);
  const { reset, cut } = outcome.counts;
  const lost = [
    [missing, 'acknowledged jobs'],
    [repeated, 'jobs done twice'],
    [unknown, 'jobs done without an acknowledgement'],
    [reset, 'connections reset'],
    [cut, 'answers cut or missing'],
  ] as const;
  const sums = lost.filter(([n]) => n > 0).map(([n, what]) => `${count(n)} ${what}`);
  const wrong = bad.map(({ label }) => label).join(', ');
  return {
    isGood: false,
    label: 'verdict',
    text: sums.length === 0 ? `nothing was lost, but these checks failed: ${wrong}` : `LOST: ${sums.join(', ')}`,
  };
}
