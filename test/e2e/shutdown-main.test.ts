// The output and the exit code of a program that a signal, or the end of main, shuts down.
import { describe, expect, it } from 'vitest';
import { drive, type Script } from './shutdown/drive.ts';

const ways = [
  ...['delay', 'fetch', 'events.on', 'throwIfCancelled', 'select', 'scope'],
  ...['Promise.any', 'a chain of AbortControllers', 'a floating promise'],
];

async function run(
  program: string,
  options: object,
  script: Script,
): Promise<readonly [string[], number | null, string]> {
  const { lines, code, stderr } = await drive('main', [program, JSON.stringify(options)], script);
  return [lines.filter((line) => line !== 'ready'), code, stderr];
}

describe('a program that waits for stopAccepting', () => {
  for (const where of ['main', 'a task', 'a scope of a library'])
    it.concurrent.each(ways)(`drains its other tasks and exits with 0 when ${where} rejects: %s`, async (how) => {
      const [lines, code] = await run(`${where} waits by ${how}`, {}, [['ready', 'SIGTERM']]);
      expect([lines, code]).toEqual([['job done'], 0]);
    });

  it('exits with 0 also after SIGINT', async () => {
    expect((await run('a service', {}, [['ready', 'SIGINT']])).slice(0, 2)).toEqual([['job done'], 0]);
  });

  it('exits with 0 when main cancels its own scope', async () => {
    expect((await run('a main that cancels its scope', {}, [['ready', 'SIGTERM']]))[1]).toBe(0);
  });

  it('exits with 1 when a task fails with an error of its own that has the reason as cause', async () => {
    const [, code, stderr] = await run('a task that fails', {}, [['ready', 'SIGTERM']]);
    expect(code).toBe(1);
    expect(stderr).toContain('rollback failed');
  });
});

describe('the exit code of an interrupted program', () => {
  it.concurrent.each([
    ['a tool that polls', 'SIGINT', {}, 130],
    ['a tool that polls', 'SIGTERM', {}, 143],
    ['a tool that polls', 'SIGINT', { onInterrupted: 'success' }, 0],
    ['a tool that polls and has a callback', 'SIGINT', {}, 130],
    ['a service that waits for its server', 'SIGTERM', {}, 0],
    ['a tool that listens to nothing', 'SIGINT', {}, 130],
    ['a tool that listens to nothing', 'SIGINT', { drainTimeout: 1 }, 130],
    ['a tool that hangs', 'SIGINT', { drainTimeout: 1, cancelTimeout: 1 }, 130],
    ['a tool that hangs', 'SIGINT', { drainTimeout: 1, cancelTimeout: 1, onInterrupted: 'success' }, 1],
    ['a service', 'SIGTERM', { onInterrupted: 'signal' }, 143],
    ['a service whose job takes long', 'SIGTERM', { drainTimeout: 1 }, 1],
    ['a main that has returned', 'SIGTERM', {}, 0],
    ['a main that has returned', 'SIGTERM', { onInterrupted: 'signal' }, 0],
  ] as const)('%s, %s, %o: %i', async (program, signal, options, expected) => {
    expect((await run(program, options, [['ready', signal]]))[1]).toBe(expected);
  });
});

it.concurrent.each([
  'a service whose loop works when the signal comes',
  'a service whose first tick is due before its loop waits',
])('%s exits with 0', async (program) => {
  const [, code] = await run(program, {}, [['working', 'SIGTERM']]);
  expect(code).toBe(0);
});

describe('runMain', () => {
  it.each([
    'a server that main forgets',
    'a server that main forgets, and that listens later',
    'a drainable of functions that main forgets',
  ])('exits with 1 and says what is missing when main returns before the end of its server: %s', async (program) => {
    const [, code, stderr] = await run(program, {}, []);
    expect(code).toBe(1);
    expect(stderr).toContain('end main with `await shutdown.stopAccepting.cancelled()`');
  });

  it('ends when a drainable throws instead of saying whether it accepts work', async () => {
    expect((await run('a drainable that cannot say whether it accepts work', {}, []))[1]).toBe(0);
  });

  it('warns when main may be waiting for its own end', async () => {
    const [, code, stderr] = await run('a main that waits for its own end', { drainTimeout: 20, cancelTimeout: 20 }, [
      ['ready', 'SIGTERM'],
    ]);
    expect(code).toBe(143);
    expect(stderr).toContain('main may be waiting for shutdown.stopped()');
  });

  it('warns one second after all other work has ended, long before main is cut off', async () => {
    const warning = 'main may be waiting for shutdown.stopped(), which waits for main and its tasks';
    const [, code, stderr] = await run('a task that waits for the end of the program, later', { drainTimeout: 1e6 }, [
      ['ready', 'SIGTERM'],
      [warning, 'SIGINT'],
    ]);
    expect(stderr.split(warning)).toHaveLength(2);
    expect(code).toBe(130);
  });

  it('throws in a worker thread', async () => {
    const [lines] = await run('a worker thread', {}, []);
    expect(lines[0]).toBe('Error: runMain: this is a worker thread, which gets no signals and cannot end the process');
  });

  it('logs once limits that leave no time for hooks, and signals that a package manager gets, unless checks is false', async () => {
    const options = { drainTimeout: 30_000, name: 'shop' };
    const [, , stderr] = await run('a tool that listens to nothing', options, []);
    expect(stderr.match(/nothing is left for the hooks/g)).toHaveLength(1);
    const [, , silent] = await run('a tool that listens to nothing', { ...options, checks: false }, []);
    expect(silent).not.toContain('nothing is left');
  });
});

it('a listener for a signal that main adds is logged, once, with its place', async () => {
  const program = 'a main that adds listeners for signals';
  const [, code, stderr] = await run(program, {}, []);
  expect(code).toBe(0);
  expect(stderr.match(/a listener for SIGTERM was added at .*: one that calls process\.exit/g)).toHaveLength(1);
  const [, , silent] = await run(program, { checks: false }, []);
  expect(silent).not.toContain('listener');
});

it('a failed task of a scope that an object holds is printed at once', async () => {
  const [lines, code, stderr] = await run('a poller that an object keeps', {}, []);
  expect([lines, code]).toEqual([['true'], 0]);
  expect(stderr).toContain('A task of scope "poller" failed, and nothing waits for that scope');
  expect(stderr).toContain('the token has expired');
});
