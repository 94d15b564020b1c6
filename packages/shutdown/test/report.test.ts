import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { sleep } from '@quiesce/select';
import {
  formatLogEvent,
  formatReport,
  type LogEvent,
  type Logger,
  reportToJson,
  type ShutdownEvent,
  shutdownChannel,
} from '@quiesce/shutdown';
import { describe, expect, it } from 'vitest';
import { deaf, job, start } from './vocabulary.ts';

/** A logger that collects its lines. */
function keeping() {
  const lines: string[] = [];
  const logger = (event: LogEvent): unknown => lines.push(`${event.level} ${formatLogEvent(event)}`);
  return { lines, logger };
}

/** A shutdown in which everything fails that can fail. */
async function disaster(logger?: Logger) {
  const it = start({
    name: 'api',
    drainTimeout: 100,
    cancelTimeout: 50,
    hookTimeout: 70,
    timeout: 300,
    logger: logger ?? false,
  });
  const { shutdown, clock, busy } = it;
  shutdown.add(job('http', 3).drainable);
  shutdown.hook('skipped', () => {});
  shutdown.hook('eats the rest', deaf, { timeout: 1_000 });
  shutdown.hook('cut', deaf, { timeout: 1_000 });
  shutdown.hook('hangs', deaf);
  shutdown.hook('fails', async () => {
    await sleep(5, { clock });
    throw new Error('disk full');
  });
  shutdown.hook('telemetry', busy('telemetry', 2), { phase: 'final' });
  shutdown.request('deploy');
  return { ...it, report: await it.end() };
}

describe('a report as text', () => {
  it('has a summary in its first line, then all failures, hooks slowest first', async () => {
    const { report } = await disaster();
    expect(formatReport(report).split('\n')).toEqual([
      'stopped with 1 after 1.3 s (deploy, forced by the deadline)',
      '  stopping 0 ms, draining 150 ms, cleanup 1.1 s, final 2 ms',
      '  hook eats the rest: timed out, 1.0 s',
      '  hook cut: cut off, 75 ms',
      '  hook hangs: timed out, 70 ms',
      '  hook fails: failed, 5 ms (disk full)',
      '  hook telemetry: done, 2 ms',
      '  hook skipped: skipped',
      '  cut off: http (3 in flight)',
      '  never finished: http (3 in flight), for 1.3 s',
    ]);
  });

  it('has colours only with the `colours` option', async () => {
    const { report } = await disaster();
    expect(formatReport(report)).not.toContain('\u001b');
    const coloured = formatReport(report, { colours: true }).split('\n');
    expect(coloured[0]?.startsWith('\u001b[31mstopped with 1')).toBe(true);
    expect(coloured[0]?.endsWith('\u001b[39m')).toBe(true);
    expect(coloured[6]?.startsWith('\u001b[32m  hook telemetry')).toBe(true);
  });

  it('lists the work in progress and the waiting hooks during the shutdown', async () => {
    const { shutdown, clock, end } = start();
    const guard = shutdown.guard('import');
    shutdown.hook('db', () => {});
    expect(formatReport(shutdown.report()).split('\n')).toEqual([
      ...['running, 1 in flight', '  hook db: waiting', '  under way: import, for 0 ms'],
    ]);
    shutdown.request('deploy');
    await clock.advance(40);
    expect(formatReport(shutdown.report()).split('\n')).toEqual([
      ...['draining for 40 ms, 1 in flight (deploy)', '  stopping 0 ms, draining 40 ms', '  hook db: waiting'],
      '  under way: import, for 40 ms',
    ]);
    guard.dispose();
    await end();
  });
});

it('a report has no age for work that is not awaited yet, and names no scope that only waits', async () => {
  const { shutdown, clock, end } = start();
  const { drainable, finish } = job('http', 2);
  const leaf = { state: 'running', ageMs: 7, deadline: undefined, children: [], site: undefined } as const;
  const inner = { ...leaf, kind: 'scope', name: 'inner' } as const;
  const task = { ...leaf, kind: 'task', name: 'task' } as const;
  const root = { ...leaf, kind: 'scope', name: 'root', children: [inner, task] } as const;
  shutdown.add(drainable);
  shutdown.add({ ...drainable, name: 'jobs', inFlightCount: 1 }, { tree: () => root as never });
  await clock.advance(40);
  expect(shutdown.report().unfinished).toEqual([
    { name: 'http (2 in flight)', ageMs: 0 },
    { name: 'root / task', ageMs: 7 },
  ]);
  shutdown.request();
  finish();
  await end();
});

describe('a report as JSON', () => {
  it('has everything, including errors and times', async () => {
    const { report } = await disaster();
    const json = JSON.parse(reportToJson(report)) as typeof report;
    expect(json).toMatchObject({
      name: 'api',
      state: 'stopped',
      startedAt: '1970-01-01T00:16:40.000Z',
      request: { kind: 'call', reason: 'deploy' },
      force: { by: 'deadline' },
      skipped: ['skipped'],
      exitCode: 1,
    });
    expect(json.hooks.find(({ name }) => name === 'fails')?.error).toMatchObject({
      name: 'Error',
      message: 'disk full',
    });
  });

  it('accepts any thrown value or reason', async () => {
    const circular: { self?: object } = {};
    circular.self = circular;
    const endless = new Error('endless');
    endless.cause = endless;
    const hostile = {
      toJSON() {
        throw new Error('no');
      },
      toString() {
        throw new Error('no');
      },
    };
    for (const error of [circular, endless, hostile, 1n, Symbol('s'), undefined, null, () => {}, Number.NaN]) {
      const { shutdown, end } = start();
      shutdown.hook('fails', () => Promise.reject(error));
      shutdown.request(error);
      const report = await end();
      expect(JSON.parse(reportToJson(report))).toMatchObject({ exitCode: 1, hooks: [{ outcome: 'failed' }] });
      expect(formatReport(report)).toContain('hook fails: failed');
    }
  });
});

describe('a logger', () => {
  it('gets a line for each important event, and the report', async () => {
    const { lines, logger } = keeping();
    await disaster(logger);
    expect(lines.map((line) => line.split('\n')[0])).toEqual([
      'info api: shutting down: deploy',
      'info api: draining: 3 in flight (http)',
      'warn api: cut off: http (3 in flight)',
      'error api: hook "fails" failed after 5 ms: Error: disk full',
      'warn api: hook "hangs" was given up after 70 ms, its time limit',
      'warn api: forced by the deadline: nothing is awaited',
      'warn api: hook "cut" was given up after 75 ms',
      'warn api: hook "eats the rest" was given up after 1.0 s, its time limit',
      'warn api: hook "skipped" was skipped: no time is left',
      'error api: stopped with 1 after 1.3 s (deploy, forced by the deadline)',
    ]);
  });

  it('gets the progress as lines, one for each change', async () => {
    const { lines, logger } = keeping();
    const { shutdown, clock, end } = start({ logger, progressInterval: 10 });
    const guards = [shutdown.guard('a'), shutdown.guard('b')];
    shutdown.request();
    for (const guard of guards) {
      await clock.advance(35);
      guard.dispose();
    }
    await end();
    expect(lines.filter((line) => line.includes('in flight'))).toEqual([
      ...['info draining: 2 in flight (guards)', 'info draining: 1 in flight (guards)'],
    ]);
  });
});

describe('the diagnostics channel', () => {
  it('publishes each step of each shutdown', async () => {
    const events: string[] = [];
    const listen = (message: unknown): void => {
      const { type, ...more } = message as ShutdownEvent & { shutdown: unknown };
      const detail = 'state' in more ? more.state : 'hook' in more ? more.hook : 'name' in more ? more.name : '';
      events.push(`${type} ${detail}`.trim());
    };
    subscribe(shutdownChannel, listen);
    await disaster();
    unsubscribe(shutdownChannel, listen);
    expect(events).toEqual([
      ...['requested', 'state stopping', 'state draining', 'drained guards', 'cut off http', 'state cleanup'],
      ...['hook:start fails', 'hook:end fails', 'hook:start hangs', 'hook:end hangs', 'hook:start cut', 'forced'],
      ...['hook:end cut', 'hook:start eats the rest', 'hook:end eats the rest', 'hook:end skipped'],
      ...['hook:start telemetry', 'hook:end telemetry', 'stopped'],
    ]);
  });

  it('publishes the shutdown with each step', async () => {
    const seen = new Set<unknown>();
    const listen = (message: unknown): void => void seen.add((message as { shutdown: unknown }).shutdown);
    subscribe(shutdownChannel, listen);
    const { shutdown } = await disaster();
    unsubscribe(shutdownChannel, listen);
    expect([...seen]).toEqual([shutdown]);
  });
});
