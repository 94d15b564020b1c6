// Hostile callers, drainables and values. None of them may break a shutdown.
import { createServer } from 'node:http';
import { type Drainable, TaskTracker } from '@quiesce/scope';
import { sleep } from '@quiesce/select';
import {
  formatLogEvent,
  formatReport,
  type LogEvent,
  logEventToJson,
  reportToJson,
  type Shutdown,
  Terminal,
} from '@quiesce/shutdown';
import { describe, expect, it } from 'vitest';
import { deaf, job, start, thrown, turn } from './vocabulary.ts';

const boom = new Error('boom');
const explode = (): never => {
  throw boom;
};

describe('a drainable that', () => {
  const broken = (more: Partial<Drainable>): Drainable => ({
    name: 'broken',
    inFlightCount: 0,
    stop: () => {},
    drain: async () => {},
    ...more,
  });

  it.each([
    ['throws in stop()', broken({ stop: explode }), 'stop() of "broken"'],
    ['throws in drain()', broken({ drain: explode }), 'drain() of "broken"'],
    ['rejects in drain()', broken({ drain: () => Promise.reject(boom) }), 'drain() of "broken"'],
  ])('%s is recorded, and the others are drained', async (_, drainable, where) => {
    const { shutdown, log, say, end } = start();
    const good = job('good');
    shutdown.add(drainable);
    shutdown.add(good.drainable);
    shutdown.hook('db', () => say('db'));
    shutdown.request();
    good.finish();
    const report = await end();
    expect(report.errors).toEqual([{ where, error: boom }]);
    expect(good.seen).toEqual(['stop', 'drain', 'done']);
    expect([log, report.exitCode]).toEqual([['0 db'], 1]);
  });

  it.each([Number.NaN, -1, Number.POSITIVE_INFINITY, 'many' as never])(
    'has %s in flight counts as 0',
    async (inFlightCount) => {
      const { shutdown, end } = start();
      shutdown.add(broken({ inFlightCount }));
      expect(shutdown.progress.inFlightCount).toBe(0);
      shutdown.request();
      expect((await end()).exitCode).toBe(0);
    },
  );

  it('throws from its `inFlightCount` counts as 0', async () => {
    const { shutdown, end } = start();
    shutdown.add(Object.defineProperty(broken({}), 'inFlightCount', { get: explode }));
    expect(shutdown.progress.inFlightCount).toBe(0);
    shutdown.request();
    expect((await end()).exitCode).toBe(0);
  });

  it('ignores its token is named', async () => {
    const { shutdown, end } = start({ drainTimeout: 10, cancelTimeout: 5 });
    shutdown.add(broken({ drain: deaf }));
    shutdown.request();
    expect(await end()).toMatchObject({ durationMs: 15, unfinished: [{ name: 'broken' }], exitCode: 1 });
  });

  it.each([
    ['throws', explode],
    ['is none', () => null as never],
    ['has no children', () => ({ name: 'x', kind: 'task' }) as never],
    [
      'throws deep inside',
      () =>
        ({
          name: 'x',
          kind: 'scope',
          get children() {
            return explode();
          },
        }) as never,
    ],
  ])('has a tree that %s is still named', async (_, tree) => {
    const { shutdown, end } = start({ drainTimeout: 10, cancelTimeout: 5 });
    shutdown.add(broken({ drain: deaf }), { tree });
    shutdown.request();
    expect((await end()).unfinished).toMatchObject([{ name: expect.stringMatching(/^a tree that cannot be read: /) }]);
  });

  it('has a tree that is not a function is refused', () => {
    const { shutdown } = start();
    expect(thrown(() => shutdown.add(broken({}), { tree: {} as never }))).toBeInstanceOf(TypeError);
  });

  it('has a name that changes, or throws later, keeps its first name', async () => {
    const { shutdown, end } = start();
    let reads = 0;
    shutdown.add(Object.defineProperty(broken({}), 'name', { get: () => (reads++ === 0 ? 'once' : explode()) }));
    shutdown.request();
    expect((await end()).drained.map(({ name }) => name)).toEqual(['guards', 'once']);
  });

  it('has a name that throws makes `add` throw, and is not added', async () => {
    const { shutdown, end } = start();
    expect(thrown(() => shutdown.add(Object.defineProperty(broken({}), 'name', { get: explode })))).toBe(boom);
    shutdown.request();
    expect((await end()).drained).toHaveLength(1);
  });

  it.each([undefined, null, 1, {}, { stop() {} }, { drain() {} }])('lacks its methods (%s) is refused', (value) => {
    const { shutdown } = start();
    expect(thrown(() => shutdown.add(value as never))).toBeInstanceOf(TypeError);
  });

  it('is an HTTP server is refused, and the error has the correction', () => {
    const { shutdown } = start();
    expect(thrown(() => shutdown.add(createServer() as never))).toMatchObject({
      message: expect.stringMatching(/^add: expected \{ name, .*, got a Server; write add\(new HttpDrain\(server\)\)$/),
    });
  });
});

describe('a callback that', () => {
  it('registers a hook of any phase, from a token, stop() or drain(), gets it run', async () => {
    const { shutdown, end } = start();
    const ran: string[] = [];
    const register = (from: string) => () => {
      for (const phase of ['stopping', 'draining', 'cleanup', 'final'] as const) {
        const name = `${phase} from ${from}`;
        try {
          shutdown.hook(name, () => void ran.push(name), { phase });
        } catch {
          ran.push(name);
        }
      }
    };
    shutdown.stopAccepting.onCancelled(register('stopAccepting'));
    shutdown.stopNow.onCancelled(register('stopNow'));
    const stopping = register('stop');
    const draining = register('drain');
    shutdown.add({ name: 'x', inFlightCount: 0, stop: stopping, drain: async () => draining() });
    shutdown.request();
    const report = await end();
    expect(ran).toHaveLength(16);
    expect(report.hooks.filter(({ outcome }) => outcome !== 'done')).toEqual([]);
  });

  it('adds a drainable from stop() or drain() gets it stopped and drained', async () => {
    const { shutdown, end } = start();
    const [first, second] = [job('first', 0), job('second', 0)];
    first.finish();
    second.finish();
    shutdown.add({
      name: 'x',
      inFlightCount: 0,
      stop: () => void shutdown.add(first.drainable),
      drain: async () => void shutdown.add(second.drainable),
    });
    shutdown.request();
    await end();
    expect([first.seen, second.seen]).toEqual([
      ['stop', 'drain', 'done'],
      ['stop', 'drain', 'done'],
    ]);
  });

  it('disposes the tokens does not disturb the shutdown', async () => {
    const { shutdown, log, say, clock, end } = start({ drainTimeout: 10, cancelTimeout: 5 });
    const [early, late] = [job('early'), job('late')];
    shutdown.add(early.drainable);
    shutdown.hook('db', () => say('db'));
    shutdown.stopAccepting.dispose();
    shutdown.stopNow.dispose();
    shutdown.request();
    await clock.advance(5);
    shutdown.add(late.drainable);
    await end();
    const calls = ['stop', 'drain', 'abort', 'signal'];
    expect([early.seen, late.seen, log]).toEqual([calls, calls, ['15 db']]);
  });

  it('forces the shutdown from the log forces it once', async () => {
    let shutdown: Shutdown | undefined;
    const it = start({ logger: () => shutdown?.force() });
    shutdown = it.shutdown;
    shutdown.hook('db', () => it.say('db'));
    shutdown.request();
    expect(await it.end()).toMatchObject({ force: { by: 'call' } });
    expect(it.log).toEqual(['0 db']);
  });

  it.each(['cleanup', 'final'] as const)(
    'registers a hook in each hook of %s, without end, is stopped by the time limit',
    async (phase) => {
      const { shutdown, clock, end } = start({ timeout: 50, forceTimeout: 20, finalTimeout: 30 });
      let count = 0;
      const again = async (): Promise<void> => {
        await sleep(1, { clock });
        shutdown.hook(`hook ${++count}`, again, { phase });
      };
      shutdown.hook('hook', again, { phase });
      shutdown.request();
      const report = await end();
      expect(report.durationMs).toBeLessThanOrEqual(101);
      expect(count).toBeGreaterThan(20);
      expect(report.hooks.every(({ outcome }) => outcome !== 'waiting' && outcome !== 'running')).toBe(true);
    },
  );
});

describe('limits of 0', () => {
  it('cut off nothing when nothing is in flight, and let synchronous hooks end', async () => {
    const { shutdown, log, say, end } = start({ drainTimeout: 0, cancelTimeout: 0, hookTimeout: 0, finalTimeout: 0 });
    shutdown.add(new TaskTracker());
    shutdown.hook('sync', () => say('sync'));
    shutdown.hook('telemetry', () => say('telemetry'), { phase: 'final' });
    shutdown.request();
    expect(await end()).toMatchObject({ exitCode: 0, cutOff: [] });
    expect(log).toEqual(['0 sync', '0 telemetry']);
  });

  it('for everything end everything at once, and name it', async () => {
    const { shutdown, end } = start({
      timeout: 0,
      drainTimeout: 0,
      cancelTimeout: 0,
      forceTimeout: 0,
      finalTimeout: 0,
    });
    const { drainable } = job('http');
    shutdown.add(drainable);
    shutdown.hook('hangs', deaf);
    shutdown.hook('last', deaf, { phase: 'final' });
    shutdown.request();
    expect(await end()).toMatchObject({ durationMs: 0, exitCode: 1, skipped: ['hangs'] });
  });
});

describe('a thrown value', () => {
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const trap = new Proxy(new Error('trap'), { get: explode, getPrototypeOf: explode });

  it.each([
    ['undefined', undefined],
    ['null', null],
    ['a string', 'text'],
    ['a revoked proxy', revoked.proxy],
    ['a proxy that throws', trap],
    ['an object without a prototype', Object.create(null)],
  ])('may be %s: it is recorded, printed, and converted to JSON', async (_, value) => {
    const lines: string[] = [];
    const keep = (event: LogEvent): unknown => lines.push(formatLogEvent(event), logEventToJson(event));
    const { shutdown, log, say, end } = start({ logger: keep });
    shutdown.add({ name: 'x', inFlightCount: 0, stop: () => {}, drain: () => Promise.reject(value) });
    shutdown.hook('last', () => say('last'));
    shutdown.hook('throws', () => {
      throw value;
    });
    shutdown.request(value);
    const report = await end();
    expect(report.hooks.find(({ name }) => name === 'throws')?.outcome).toBe('failed');
    expect(log).toEqual(['0 last']);
    expect(formatReport(report)).toContain('hook throws: failed');
    expect(JSON.parse(reportToJson(report))).toMatchObject({ exitCode: 1 });
    expect(lines.length).toBeGreaterThan(2);
  });
});

describe('many hooks', () => {
  it('with the names of properties of Object.prototype run in order', async () => {
    const { shutdown, end } = start();
    const ran: string[] = [];
    for (const name of ['__proto__', 'constructor', 'toString', '0', ' ', '\n']) {
      shutdown.hook(name, () => void ran.push(name));
    }
    shutdown.request();
    await end();
    expect(ran).toEqual(['\n', ' ', '0', 'toString', 'constructor', '__proto__']);
  });

  it('let the event loop run in between', async () => {
    const { shutdown, end } = start();
    let turns = 0;
    let isOver = false;
    const count = (): void => {
      turns++;
      if (!isOver) setImmediate(count);
    };
    for (let i = 0; i < 1_500; i++) shutdown.hook(`hook ${i}`, () => (i === 1_499 ? setImmediate(count) : undefined));
    shutdown.request();
    const report = await end();
    isOver = true;
    await turn();
    expect(report.hooks).toHaveLength(1_500);
    expect(turns).toBeGreaterThan(2);
  });
});

describe('a terminal', () => {
  const stream = (isTTY: boolean) => {
    const written: string[] = [];
    return { written, isTTY, write: (text: string) => written.push(text) };
  };

  it('replaces its progress line in place, and clears it before a log line', async () => {
    const out = stream(true);
    const { shutdown, clock, end } = start({ logger: new Terminal(out), progressInterval: 10 });
    const guards = [shutdown.guard('a'), shutdown.guard('b')];
    shutdown.request();
    for (const guard of guards) {
      await clock.advance(15);
      guard.dispose();
    }
    await end();
    const wipe = '\r\u001b[K';
    expect(out.written.slice(0, -1)).toEqual([
      ...[
        'shutting down: the program has requested it\n',
        'stopping (guards)',
        `${wipe}draining: 2 in flight (guards)`,
      ],
      ...[`${wipe}draining: 1 in flight (guards)`, `${wipe}draining: 0 in flight`, `${wipe}cleanup`],
    ]);
    expect(out.written.at(-1)).toContain(`${wipe}\u001b[32mstopped with 0`);
  });

  it('on a stream that is not a terminal writes plain lines', async () => {
    const out = stream(false);
    const { shutdown, end } = start({ logger: new Terminal(out) });
    shutdown.hook('fails', explode);
    shutdown.request();
    await end();
    expect(out.written.every((text) => text.endsWith('\n') && !text.includes('\u001b') && !text.includes('\r'))).toBe(
      true,
    );
  });

  it('writes one line: a longer text is truncated, and control characters are removed', () => {
    const out = { ...stream(true), columns: 20 };
    const terminal = new Terminal(out);
    terminal.progress('draining: 12 in flight (requests)');
    terminal.progress('a\nb\u001b[2Jc');
    terminal.progress('a\nb\u001b[2Jc');
    terminal.info('stopped');
    expect(out.written).toEqual(['draining: 12 in fl…', '\r\u001b[Ka b [2Jc', '\r\u001b[Kstopped\n']);
    expect(out.written[0]?.length).toBe(19);
    const narrow = { ...stream(false), columns: 5 };
    new Terminal(narrow).progress('draining: 12 in flight');
    expect(narrow.written).toEqual(['draining: 12 in flight\n']);
  });

  it('that throws does not disturb the shutdown', async () => {
    const { shutdown, end } = start({ logger: new Terminal({ isTTY: true, write: explode }) });
    shutdown.request();
    expect((await end()).exitCode).toBe(0);
  });
});
