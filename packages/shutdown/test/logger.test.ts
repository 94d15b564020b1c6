// Each kind of logger gets its form. The loggers are the real ones, and the tests parse what they print.
import { Console } from 'node:console';
import { readFileSync } from 'node:fs';
import { Writable } from 'node:stream';
import { type LogEvent, type Logger, logEventToJson, Shutdown } from '@quiesce/shutdown';
import bunyan from 'bunyan';
import Fastify from 'fastify';
import { pino } from 'pino';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import winston from 'winston';
import { deaf, job, start, turn } from './vocabulary.ts';

/** A printed line, with the names that the loggers use for its parts. */
interface Entry {
  readonly level: number | string;
  readonly name?: string;
  readonly msg?: string;
  readonly message?: string;
  readonly err?: { readonly message?: string; readonly stack?: string };
  readonly stack?: string;
  readonly [field: string]: unknown;
}

function streamTo(lines: string[]): Writable {
  const write = (chunk: Buffer, _: string, next: () => void): void => {
    lines.push(...String(chunk).trimEnd().split('\n'));
    next();
  };
  return new Writable({ write });
}

function winstonTo(lines: string[], more: winston.LoggerOptions = {}): winston.Logger {
  return winston.createLogger({
    defaultMeta: { name: 'svc' },
    transports: [new winston.transports.Stream({ stream: streamTo(lines) })],
    ...more,
  });
}

const numbers = { info: 30, warn: 40, error: 50 };
const words = { info: 'info', warn: 'warn', error: 'error' };

/** For each logger: how it is made, the levels that it prints, and where the stack of an error is. */
const kinds: Record<string, readonly [(lines: string[]) => Logger, object, ('err' | 'top')?]> = {
  pino: [(lines) => pino({ name: 'svc' }, streamTo(lines)), numbers],
  'a child of pino': [(lines) => pino({ name: 'svc' }, streamTo(lines)).child({ requestId: 1 }), numbers],
  'pino with another name for the error and the text': [
    (lines) => pino({ name: 'svc', errorKey: 'error', messageKey: 'message' }, streamTo(lines)),
    numbers,
  ],
  'the log of Fastify': [(lines) => Fastify({ logger: { name: 'svc', stream: streamTo(lines) } }).log, numbers],
  bunyan: [
    (lines) =>
      bunyan.createLogger({ name: 'svc', stream: streamTo(lines), serializers: { err: bunyan.stdSerializers.err } }),
    numbers,
  ],
  'bunyan without serializers': [(lines) => bunyan.createLogger({ name: 'svc', stream: streamTo(lines) }), numbers],
  'a child of bunyan': [
    (lines) => bunyan.createLogger({ name: 'svc', stream: streamTo(lines) }).child({ requestId: 1 }),
    numbers,
  ],
  winston: [(lines) => winstonTo(lines), words, 'top'],
  'a child of winston': [(lines) => winstonTo(lines).child({ requestId: 1 }), words, 'top'],
  'the module of winston, with its default logger': [
    (lines) => {
      winston.configure({
        defaultMeta: { name: 'svc' },
        transports: [new winston.transports.Stream({ stream: streamTo(lines) })],
      });
      return winston;
    },
    words,
    'top',
  ],
  'winston with the formats for errors and placeholders': [
    (lines) => {
      const { errors, splat, json, combine } = winston.format;
      return winstonTo(lines, { format: combine(errors({ stack: true }), splat(), json()) });
    },
    words,
    'top',
  ],
  'winston with the levels of syslog': [
    (lines) => winstonTo(lines, { levels: winston.config.syslog.levels }),
    { ...words, warn: 'warning' },
    'top',
  ],
  'a function that prints JSON': [
    (lines) => (event) => lines.push(JSON.stringify({ name: 'svc', ...JSON.parse(logEventToJson(event)) })),
    words,
  ],
};

/** Runs a shutdown in which every event is logged. */
async function disaster(logger: Logger, reason: unknown = 'deploy'): Promise<void> {
  const limits = { drainTimeout: 10, cancelTimeout: 10, timeout: 100, forceTimeout: 0 };
  const { shutdown, end } = start({ name: 'shop', logger, ...limits });
  shutdown.add(job('http', 3).drainable);
  shutdown.add({ ...job('jobs', 1).drainable, inFlightNames: ['job 7'], drain: async () => Promise.reject('full') });
  shutdown.hook('skipped', () => {});
  shutdown.hook('cut off', deaf, { timeout: 5_000 });
  shutdown.hook('hangs', deaf, { timeout: 20 });
  shutdown.hook('db', () => Promise.reject(new Error('connection lost\nwhile closing')));
  shutdown.log.warn('watchdog', 'the watchdog has failed', { err: new Error('out of memory') });
  shutdown.request(reason);
  const { state } = shutdown.sequence;
  state.emit({ type: 'leak', name: 'upload', site: 'upload.ts:7' });
  state.emit({ type: 'signal ignored', signal: 'SIGINT', why: 'repeated', debounceMs: Number.POSITIVE_INFINITY });
  await end();
}

/** The text of each line of `disaster`, without the name of the shutdown and stacks. */
const texts = [
  'the watchdog has failed: out of memory',
  'shutting down: deploy',
  'guard "upload" was never disposed, made at upload.ts:7',
  'ignored SIGINT, which came again. To force the shutdown, send another signal',
  'draining: 4 in flight (http, jobs)',
  'drain() of "jobs": full',
  'cut off: http (3 in flight)',
  'cut off: jobs (1 in flight): job 7',
  'hook "db" failed after 0 ms: connection lost',
  'hook "hangs" was given up after 20 ms, its time limit',
  'forced by the deadline: nothing is awaited',
  'hook "cut off" was given up after 60 ms',
  'hook "skipped" was skipped: no time is left',
  'stopped with 1 after 100 ms (deploy, forced by the deadline)',
];

const common = { shutdown: 'shop', state: 'stopping', inFlightCount: 4, elapsedMs: 0 };

describe.each(Object.entries(kinds))('%s', (_, [make, levels, place = 'err']) => {
  const run = async (reason?: unknown): Promise<{ lines: string[]; entries: Entry[] }> => {
    const lines: string[] = [];
    await disaster(make(lines), reason);
    return { lines, entries: lines.map((line) => JSON.parse(line)) };
  };
  const textOf = ({ msg, message }: Entry): string | undefined => msg ?? message;
  const find = (entries: readonly Entry[], event: string): Entry => {
    const found = entries.find((entry) => entry['event'] === event);
    if (found === undefined) throw new Error(`no ${event}`);
    return found;
  };

  it('prints one line for each event, at its level', async () => {
    const { lines, entries } = await run();
    if (place === 'err' && levels === words) expect(entries.map(textOf)).toEqual(texts.map(() => undefined));
    else expect(entries.map(textOf)).toEqual(texts);
    const { info, warn, error } = levels as typeof words;
    expect(entries.map(({ level }) => level)).toEqual([
      warn,
      info,
      warn,
      warn,
      info,
      error,
      warn,
      warn,
      error,
      warn,
      warn,
      warn,
      warn,
      error,
    ]);
    // A field that is printed twice is valid JSON.
    expect(lines.filter((line) => line.split('"level":').length !== 2)).toEqual([]);
  });

  it('prints the fields of each event, and keeps its own', async () => {
    const { entries } = await run();
    expect(entries.every(({ name, shutdown }) => name === 'svc' && shutdown === 'shop')).toBe(true);
    expect(find(entries, 'requested')).toMatchObject({ ...common, kind: 'call', reason: 'deploy' });
    expect(find(entries, 'progress')).toMatchObject({ state: 'draining', waitingFor: ['http', 'jobs'] });
    expect(entries.filter(({ event }) => event === 'cut off')).toMatchObject([
      { ...common, state: 'draining', elapsedMs: 10, drainable: 'http', cutOffCount: 3 },
      { ...common, state: 'draining', elapsedMs: 10, drainable: 'jobs', cutOffCount: 1, cutOffNames: ['job 7'] },
    ]);
    expect(find(entries, 'hook:end')).toMatchObject({ hook: 'db', phase: 'cleanup', outcome: 'failed', durationMs: 0 });
    expect(find(entries, 'forced')).toMatchObject({ state: 'cleanup', by: 'deadline' });
    expect(find(entries, 'leak')).toMatchObject({ guard: 'upload', site: 'upload.ts:7' });
    expect(find(entries, 'signal ignored')).toMatchObject({
      signal: 'SIGINT',
      why: 'repeated',
      debounceMs: 'Infinity',
    });
    expect(find(entries, 'warning')).toMatchObject({ state: 'running', about: 'watchdog' });
    expect(find(entries, 'report')).toMatchObject({
      ...{ state: 'stopped', exitCode: 1, durationMs: 100 },
      report: { name: 'shop', request: { kind: 'call', reason: 'deploy' }, force: { by: 'deadline' } },
    });
  });

  it('prints errors with their stacks, and other thrown values', async () => {
    const { entries } = await run();
    const failure = find(entries, 'hook:end');
    expect(failure.err?.message).toBe('connection lost\nwhile closing');
    expect(place === 'top' ? failure.stack : failure.err?.stack).toContain('logger.test.ts');
    expect(place === 'top' ? failure.err?.stack : failure.stack).toBeUndefined();
    expect(find(entries, 'error')).toMatchObject({ where: 'drain() of "jobs"', err: 'full' });
  });

  it('prints a reason that is an error as `err`', async () => {
    const { entries } = await run(new Error('boom'));
    const requested = find(entries, 'requested');
    expect(requested).toMatchObject({ level: (levels as typeof words).info, kind: 'call', err: { message: 'boom' } });
    expect(requested['reason']).toBeUndefined();
  });

  it('loses no field when the text contains a placeholder', async () => {
    const { entries } = await run('100%d %s %o');
    expect(find(entries, 'requested')).toMatchObject({ event: 'requested', reason: '100%d %s %o' });
    const text = textOf(find(entries, 'requested'));
    if (text !== undefined) expect(text).toBe('shutting down: 100%d %s %o');
  });

  it('prints a reason that JSON cannot express', async () => {
    const circular: { self?: object; toJSON?: () => never } = {};
    circular.self = circular;
    const { entries } = await run(circular);
    expect(find(entries, 'requested')).toMatchObject({ kind: 'call', reason: '[object Object]' });
  });
});

describe.each<[string, (lines: string[]) => Logger]>([
  [
    'the global console',
    (lines) => {
      for (const level of ['info', 'warn', 'error'] as const)
        vi.spyOn(console, level).mockImplementation((...given) => void lines.push([level, ...given].join(' ')));
      return console;
    },
  ],
  [
    'a logger of NestJS, with `log` and without `info`',
    (lines) => {
      class Nest {
        readonly #lines = lines;
        log(...given: unknown[]): void {
          this.#lines.push(['info', ...given].join(' '));
        }
        warn(...given: unknown[]): void {
          this.#lines.push(['warn', ...given].join(' '));
        }
        error(...given: unknown[]): void {
          this.#lines.push(['error', ...given].join(' '));
        }
      }
      return new Nest();
    },
  ],
])('%s', (_, make) => {
  afterEach(() => void vi.restoreAllMocks());

  it('gets one text for each event, at its level, and errors with their stacks', async () => {
    const lines: string[] = [];
    await disaster(make(lines));
    const levels = [
      'warn',
      'info',
      'warn',
      'warn',
      'info',
      'error',
      'warn',
      'warn',
      'error',
      'warn',
      'warn',
      'warn',
      'warn',
      'error',
    ];
    const expected = texts.map((text, at) => `${levels[at]} shop: ${text}`);
    expect(
      lines.map((line) => (line.split('\n')[0] as string).replace(': Error:', ':').replace("'full'", 'full')),
    ).toEqual(expected);
    const failure = lines.find((line) => line.includes('hook "db" failed'));
    expect(failure).toMatch(/failed after 0 ms: Error: connection lost\nwhile closing\n {4}at .*logger\.test\.ts/);
    expect(lines.at(-1)).toContain('\n  hook skipped: skipped');
  });
});

it('an own console prints each level to its stream', async () => {
  const [out, err]: [string[], string[]] = [[], []];
  await disaster(new Console(streamTo(out), streamTo(err)), '%d');
  expect(out[0]).toBe('shop: shutting down: %d');
  expect(err[0]).toBe('shop: the watchdog has failed: out of memory');
});

it('a logger with the methods of pino gets the fields first, even when its name is unknown', async () => {
  const calls: unknown[][] = [];
  const keep = (...given: unknown[]): unknown => calls.push(given);
  const log = { child() {}, fatal: keep, error: keep, warn: keep, info: keep, debug: keep, trace: keep };
  await disaster(log);
  expect(calls[1]).toEqual([{ event: 'requested', ...common, kind: 'call', reason: 'deploy' }, texts[1]]);
});

it('a function gets the event, with the error itself and the report itself', async () => {
  const events: LogEvent[] = [];
  const error = new Error('lost');
  const { shutdown, end } = start({ logger: (event) => events.push(event) });
  shutdown.hook('db', () => Promise.reject(error));
  shutdown.request();
  const report = await end();
  const [requested, failed, last] = events;
  expect(requested).toEqual({
    ...{ level: 'info', event: 'requested', kind: 'call' },
    ...{ state: 'stopping', inFlightCount: 0, elapsedMs: 0 },
  });
  expect(failed?.event === 'hook:end' && failed.err).toBe(error);
  expect(last?.event === 'report' && last.report).toEqual(report);
});

it('the table of events in the README lists the events and their fields', async () => {
  const fields = new Map<string, Set<string>>();
  await disaster((event) => {
    const known = fields.get(event.event) ?? new Set();
    for (const key of Object.keys(event)) if (!(key in { ...common, level: 0, event: 0 })) known.add(key);
    fields.set(event.event, known);
  });
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const rows = [...readme.matchAll(/^\| `([\w: ]+)` +\| `?(?:info|warn|error)[^|]*\| ([^|]*)\|/gm)];
  const listed = new Map(
    rows.map(([, event = '', cell = '']) => [event, [...cell.matchAll(/`(\w+)\??`/g)].map(([, name]) => name)]),
  );
  // The disaster has a call without a signal, and a deadline in place of one.
  for (const event of ['requested', 'forced']) fields.get(event)?.add('signal');
  fields.get('requested')?.add('err');
  expect([...listed.keys()].sort()).toEqual([...fields.keys()].sort());
  for (const [event, names] of listed)
    expect([event, names.sort()]).toEqual([event, [...(fields.get(event) ?? [])].sort()]);
});

it('a logger of winston without one of the levels is refused, because winston drops lines of unknown levels', () => {
  const logger = winston.createLogger({ levels: { fatal: 0, error: 1, notice: 2 }, silent: true });
  expect(() => new Shutdown({ logger })).toThrow(
    /^new Shutdown: logger: this logger of winston has no level "info"\. Write \(event\) => /,
  );
});

describe('a logger that fails or has ended', () => {
  /** Returns what is written to stderr from now on, instead of writing it. */
  const stderr = (): string[] => {
    const written: string[] = [];
    const spy = vi.spyOn(process.stderr, 'write').mockImplementation((text) => written.push(String(text)) > 0);
    onTestFinished(() => void spy.mockRestore());
    return written;
  };
  const expected = (written: string[]): void => {
    expect(written.map((text) => text.split('\n')[0])).toContain('shop: shutting down: deploy');
    expect(written.filter((text) => text === 'the logger has failed: EPIPE\n')).toHaveLength(1);
    expect(written).toHaveLength(texts.length + 1);
  };

  it('does not disturb the shutdown by an exception, and its lines go to stderr', async () => {
    const written = stderr();
    const { shutdown, end } = start({
      logger: () => {
        throw new Error('EPIPE');
      },
    });
    shutdown.request();
    expect((await end()).exitCode).toBe(0);
    written.length = 0;
    await disaster(() => {
      throw new Error('EPIPE');
    });
    expected(written);
  });

  it('does not disturb the shutdown by a rejection, and its lines go to stderr', async () => {
    const written = stderr();
    const rejections: unknown[] = [];
    const listen = (reason: unknown): void => void rejections.push(reason);
    process.on('unhandledRejection', listen);
    onTestFinished(() => void process.off('unhandledRejection', listen));
    await disaster(() => Promise.reject(new Error('EPIPE')));
    await turn();
    expect(rejections).toEqual([]);
    expected(written);
  });

  it('does not disturb the shutdown when stderr fails as well', async () => {
    const spy = vi.spyOn(process.stderr, 'write').mockImplementation(() => {
      throw new Error('EPIPE');
    });
    onTestFinished(() => void spy.mockRestore());
    await disaster(() => {
      throw new Error('EPIPE');
    });
    expect(spy).toHaveBeenCalled();
  });

  it.each([
    ['pino', (stream: Writable) => pino({}, stream)],
    ['bunyan', (stream: Writable) => bunyan.createLogger({ name: 'svc', stream })],
  ])('prints its lines to stderr when the stream of %s has ended', async (_, make) => {
    const written = stderr();
    const uncaught: unknown[] = [];
    const stream = streamTo([]);
    stream.on('error', (error) => uncaught.push(error));
    const { shutdown, end } = start({ logger: make(stream) });
    stream.end();
    shutdown.request('deploy');
    expect((await end()).exitCode).toBe(0);
    expect(written.map((text) => text.split('\n')[0])).toEqual([
      'shutting down: deploy',
      'the logger has failed: a stream of the logger has ended',
      expect.stringMatching(/^stopped with 0/),
    ]);
    expect(uncaught).toEqual([]);
  });

  it('prints the last lines to stderr when a hook ends winston', async () => {
    const written = stderr();
    const lines: string[] = [];
    const logger = winstonTo(lines);
    const { shutdown, end } = start({ logger });
    shutdown.hook('logger', () => void logger.end(), { phase: 'final' });
    shutdown.request('deploy');
    expect((await end()).exitCode).toBe(0);
    expect(lines).toHaveLength(1);
    expect(written[0]).toMatch(/^stopped with 0 after 0 ms/);
    expect(written[1]).toBe('the logger has failed: the logger of winston has ended\n');
  });

  it('prints lines after the flush of winston to stderr, and other code can still log', async () => {
    const uncaught: unknown[] = [];
    const listen = (error: unknown): void => void uncaught.push(error);
    process.on('uncaughtException', listen);
    onTestFinished(() => void process.off('uncaughtException', listen));
    const written = stderr();
    const lines: string[] = [];
    const logger = winstonTo(lines);
    const { shutdown, end } = start({ name: 'shop', logger });
    shutdown.request();
    await end();
    await shutdown.log.flush();
    shutdown.log.warn('main', 'late');
    logger.info('later');
    await turn();
    expect(lines).toHaveLength(2);
    expect(written).toEqual(['shop: late\n']);
    expect(uncaught).toEqual([]);
  });
});

it('a logger of pino still gets lines after its flush, because it writes them when the process exits', async () => {
  const lines: string[] = [];
  const { shutdown, end } = start({ logger: pino(streamTo(lines)) });
  shutdown.request();
  await end();
  await shutdown.log.flush();
  shutdown.log.warn('main', 'late');
  expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ msg: 'late', event: 'warning', about: 'main' });
});
