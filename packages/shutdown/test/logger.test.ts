// Each kind of logger gets its form: fields and an error if it takes them, one text otherwise.
import { Writable } from 'node:stream';
import { Shutdown } from '@quiesce/shutdown';
import Fastify from 'fastify';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import winston from 'winston';

interface Entry {
  readonly msg?: string;
  readonly message?: string;
  readonly event?: string;
  readonly shutdown?: string;
  readonly err?: { readonly message?: string };
  readonly [field: string]: unknown;
}

function winstonTo(entries: Entry[]): winston.Logger {
  const write = (line: Buffer, _: string, next: () => void): void => {
    entries.push(JSON.parse(String(line)));
    next();
  };
  return winston.createLogger({
    transports: [new winston.transports.Stream({ stream: new Writable({ write }) })],
  });
}

/** Returns a logger of each kind, which collects its entries. */
const kinds: Record<string, (entries: Entry[]) => never> = {
  pino: (entries) => pino({}, { write: (line: string) => void entries.push(JSON.parse(line)) }) as never,
  winston: (entries) => winstonTo(entries) as never,
  // Without serializers, bunyan prints its arguments as JSON, in which an error is {}.
  bunyan: (entries) => {
    const log = (fields: object, msg: string): void =>
      void entries.push(JSON.parse(JSON.stringify({ ...fields, msg })));
    return { child() {}, fields: {}, serializers: {}, info: log, warn: log, error: log } as never;
  },
  'a logger with the methods of pino that Fastify requires': (entries) => {
    const log = (fields: object, msg: string): void =>
      void entries.push(JSON.parse(JSON.stringify({ ...fields, msg })));
    return { child() {}, fatal: log, error: log, warn: log, info: log, debug: log, trace: log } as never;
  },
  'the log of Fastify': (entries) => {
    const stream = { write: (line: string) => void entries.push(JSON.parse(line)) };
    return Fastify({ logger: { stream } }).log as never;
  },
  'a child of winston': (entries) => winstonTo(entries).child({ requestId: 1 }) as never,
};

async function run(logger: never, request: (shutdown: Shutdown) => void): Promise<void> {
  const shutdown = new Shutdown({ name: 'shop', logger, systemd: false });
  shutdown.hook('db', () => Promise.reject(new Error('connection lost\nwhile closing')));
  request(shutdown);
  await shutdown.stopped();
}

describe.each(Object.entries(kinds))('%s', (_, make) => {
  it('gets one line for each event, with the fields of that event', async () => {
    const entries: Entry[] = [];
    await run(make(entries), (shutdown) => shutdown.request('deploy'));
    const texts = entries.map(({ msg, message }) => msg ?? message ?? '');
    expect(texts.filter((text) => text.includes('\n'))).toEqual([]);
    expect(texts[0]).toBe('shutting down: a call: deploy');
    expect(entries.every(({ shutdown }) => shutdown === 'shop')).toBe(true);
    expect(entries[0]).toMatchObject({ event: 'requested', kind: 'call' });
    const failure = entries.find(({ event }) => event === 'hook:end');
    expect(failure).toMatchObject({ hook: 'db', phase: 'cleanup', outcome: 'failed' });
    expect(failure?.err?.message).toBe('connection lost\nwhile closing');
    expect(failure?.msg ?? failure?.message).toMatch(/^hook "db" failed after \d+ ms: connection lost$/);
    expect(entries.at(-1)).toMatchObject({ event: 'report', report: { exitCode: 1, request: { reason: 'deploy' } } });
  });

  it('gets the error that requests the shutdown as `err`', async () => {
    const entries: Entry[] = [];
    await run(make(entries), ({ sequence }) => sequence.request({ kind: 'error', reason: new Error('boom') }));
    expect(entries[0]).toMatchObject({ event: 'requested', kind: 'error' });
    expect(entries[0]?.err?.message).toBe('boom');
  });
});

it('a logger of NestJS, with `log` and without `info`, gets one text', async () => {
  const lines: unknown[][] = [];
  class Nest {
    readonly #level =
      (level: string) =>
      (...given: unknown[]): unknown =>
        lines.push([level, ...given]);
    log = this.#level('log');
    warn = this.#level('warn');
    error = this.#level('error');
    fatal = this.#level('fatal');
  }
  await run(new Nest() as never, (shutdown) => shutdown.request('deploy'));
  expect(lines[0]).toEqual(['log', 'shop: shutting down: a call: deploy']);
  expect(lines.every(({ length }) => length === 2)).toBe(true);
});

it('a logger with settings, such as tslog, gets one text', async () => {
  const lines: unknown[][] = [];
  const keep = (...given: unknown[]): unknown => lines.push(given);
  const tslog = { settings: {}, child() {}, log: keep, trace: keep, info: keep, warn: keep, error: keep, fatal: keep };
  await run(tslog as never, (shutdown) => shutdown.request('deploy'));
  expect(lines[0]).toEqual(['shop: shutting down: a call: deploy']);
});

it('a logger of another kind gets one text, with the error and its stack', async () => {
  const texts: unknown[][] = [];
  const keep = (...given: unknown[]): unknown => texts.push(given);
  await run({ info: keep, warn: keep, error: keep } as never, (shutdown) => shutdown.request('deploy'));
  expect(texts.every((given) => given.length === 1 && typeof given[0] === 'string')).toBe(true);
  expect(texts.map(([text]) => String(text)).find((text) => text.includes('hook "db" failed'))).toContain(
    'logger.test.ts',
  );
});
