// Random hooks against a naive model: which hooks run, in which order, when, and with which outcome.
import { setUncaughtHandler } from '@quiesce/cancellation-token';
import { sleep } from '@quiesce/select';
import {
  array,
  assert,
  asyncProperty,
  boolean,
  constant,
  constantFrom,
  integer,
  oneof,
  record,
  uniqueArray,
} from 'fast-check';
import { expect, test } from 'vitest';
import { deaf, start } from './vocabulary.ts';

const phases = ['stopping', 'draining', 'cleanup', 'final'] as const;
const limits = {
  drainTimeout: 60,
  cancelTimeout: 20,
  hookTimeout: 25,
  timeout: 150,
  forceTimeout: 30,
  finalTimeout: 40,
};

interface Planned {
  readonly phase: (typeof phases)[number];
  readonly priority: number;
  /** How long it takes. `undefined` when it never ends. */
  readonly takes: number | undefined;
  readonly fails: boolean;
  readonly timeout: number | undefined;
  /** Indices of earlier hooks, without those of later phases. */
  readonly after: readonly number[];
}

const planned = record({
  phase: constantFrom(...phases),
  priority: integer({ min: -1, max: 1 }),
  takes: oneof(integer({ min: 0, max: 40 }), constant(undefined)),
  fails: boolean(),
  timeout: oneof(integer({ min: 0, max: 40 }), constant(undefined)),
  after: uniqueArray(integer({ min: 0, max: 11 }), { maxLength: 3 }),
});

/** Returns the expected lines `name outcome start duration`, computed without a state machine. */
function expected(plan: readonly Planned[]): string[] {
  const lines: string[] = [];
  const ended = new Set<number>();
  let now = 0;
  let forceEnd: number | undefined;
  for (const phase of phases) {
    const drainEnd = now + limits.drainTimeout + limits.cancelTimeout;
    const finalEnd = now + limits.finalTimeout;
    for (;;) {
      const free = [...plan.entries()].filter(
        ([i, hook]) => hook.phase === phase && !ended.has(i) && hook.after.every((other) => ended.has(other)),
      );
      free.sort(([i, a], [j, b]) => b.priority - a.priority || j - i);
      const [first] = free;
      if (first === undefined) break;
      const [i, { takes = Number.POSITIVE_INFINITY, fails, timeout }] = first;
      ended.add(i);
      const end = forceEnd ?? limits.timeout;
      const most = (phase === 'final' ? finalEnd : phase === 'draining' ? Math.min(end, drainEnd) : end) - now;
      if (most <= 0 && phase !== 'final') {
        lines.push(`${i} skipped`);
        continue;
      }
      const own = timeout ?? (phase === 'draining' ? Number.POSITIVE_INFINITY : limits.hookTimeout);
      const limit = Math.max(0, Math.min(own, most));
      const isReady = takes <= limit;
      const ms = Math.min(takes, limit);
      now += ms;
      const isForced = phase !== 'final' && forceEnd === undefined && now >= limits.timeout;
      if (isForced) forceEnd = limits.timeout + limits.forceTimeout;
      const outcome = isReady ? (fails ? 'failed' : 'done') : isForced ? 'cut off' : 'timed out';
      lines.push(`${i} ${outcome} at ${Math.round(now - ms)} for ${Math.round(ms)}`);
    }
  }
  return lines;
}

/** Returns the lines of a real shutdown. */
async function actual(plan: readonly Planned[]): Promise<string[]> {
  const { shutdown, clock, end } = start(limits);
  const order: string[] = [];
  const begun = new Map<string, number>();
  for (const [i, { takes, fails, ...options }] of plan.entries()) {
    const run = async (): Promise<void> => {
      order.push(String(i));
      begun.set(String(i), clock.now());
      await (takes === undefined ? deaf() : sleep(takes, { clock }));
      if (fails) throw new Error(`hook ${i}`);
    };
    shutdown.hook(String(i), run, { ...options, after: options.after.map(String) });
  }
  shutdown.request();
  const uncaught: unknown[] = [];
  const before = setUncaughtHandler((error) => uncaught.push(error));
  const { hooks, skipped, errors } = await end();
  await clock.advance(100);
  setUncaughtHandler(before);
  expect(clock.pendingCount).toBe(0);
  // No error is lost: an error that is too late for its hook is reported separately.
  const failing = order.filter((name) => plan[Number(name)]?.fails === true && plan[Number(name)]?.takes !== undefined);
  const reported = hooks.filter(({ outcome }) => outcome === 'failed').length + errors.length + uncaught.length;
  expect(reported).toBe(failing.length);
  const lines = order.map((name) => {
    const hook = hooks.find((one) => one.name === name);
    return `${name} ${hook?.outcome} at ${Math.round(begun.get(name) ?? -1)} for ${hook?.durationMs}`;
  });
  expect([...order, ...skipped].sort()).toEqual([...plan.keys()].map(String).sort());
  return [...lines, ...skipped.map((name) => `${name} skipped`)];
}

test('random hooks run as a naive model of the rules predicts', async () => {
  const property = asyncProperty(array(planned, { maxLength: 12 }), async (given) => {
    const plan = given.map((hook, i) => {
      const isKnown = (other: number): boolean => {
        const found = given[other];
        return other < i && found !== undefined && phases.indexOf(found.phase) <= phases.indexOf(hook.phase);
      };
      // Fractions, whose sums are never whole: no hook ends exactly at a limit.
      const takes = hook.takes === undefined ? undefined : hook.takes + (i + 1) / 1024;
      return { ...hook, takes, after: hook.after.filter(isKnown) };
    });
    const model = expected(plan);
    const found = await actual(plan);
    expect(found.filter((line) => !line.endsWith('skipped'))).toEqual(
      model.filter((line) => !line.endsWith('skipped')),
    );
    expect(found.filter((line) => line.endsWith('skipped')).sort()).toEqual(
      model.filter((line) => line.endsWith('skipped')).sort(),
    );
  });
  // A failure prints its seed and its path.
  await assert(property, { numRuns: 150 });
}, 60_000);
