// Real processes and real signals: signal × state × kind of hook → output, in order; exit code; exit signal.
import { describe, expect, it } from 'vitest';
import { drive, type Script } from './shutdown/drive.ts';

interface Row {
  readonly what: string;
  readonly hook?: string;
  readonly work?: string;
  readonly options?: object;
  readonly script: Script;
  /** The output after `ready`. */
  readonly says: readonly string[];
  readonly code: number | null;
  readonly killedBy?: NodeJS.Signals;
}

const clean = ['stop requested', 'scope cleaned up', 'hook begins', 'db closed', 'telemetry', 'exit 0'];

const rows: Row[] = [
  { what: 'SIGTERM while running', script: [['ready', 'SIGTERM']], says: clean, code: 0 },
  { what: 'SIGINT while running', script: [['ready', 'SIGINT']], says: clean, code: 0 },
  { what: 'SIGHUP while running', script: [['ready', 'SIGHUP']], says: clean, code: 0 },
  {
    what: 'SIGTERM, and an exit code that the program has set',
    options: { exitCode: 3 },
    script: [['ready', 'SIGTERM']],
    says: [...clean.slice(0, -1), 'exit 3'],
    code: 3,
  },
  {
    what: 'SIGTERM, and a hook that throws',
    hook: 'throws',
    script: [['ready', 'SIGTERM']],
    says: [...clean.slice(0, -1), 'exit 1'],
    code: 1,
  },
  {
    what: 'SIGTERM, a hook that rejects, and an exit code that the program has set',
    hook: 'rejects',
    options: { exitCode: 3 },
    script: [['ready', 'SIGTERM']],
    says: [...clean.slice(0, -1), 'exit 1'],
    code: 1,
  },
  {
    what: 'SIGTERM, and a hook that hangs',
    hook: 'hangs',
    options: { hookTimeout: 50 },
    script: [['ready', 'SIGTERM']],
    says: [...clean.slice(0, -1), 'exit 1'],
    code: 1,
  },
  {
    what: 'SIGTERM, and a hook that requests again',
    hook: 'requests',
    script: [['ready', 'SIGTERM']],
    says: [...clean.slice(0, 3), 'requested again: false', ...clean.slice(3)],
    code: 0,
  },
  {
    what: 'SIGTERM, and an uncaught exception in a hook: recorded, and not forced',
    hook: 'throws elsewhere',
    script: [['ready', 'SIGTERM']],
    says: [...clean.slice(0, -1), 'exit 1'],
    code: 1,
  },
  {
    what: 'SIGTERM, and an unhandled rejection in a hook',
    hook: 'rejects elsewhere',
    script: [['ready', 'SIGTERM']],
    says: [...clean.slice(0, -1), 'exit 1'],
    code: 1,
  },
  {
    what: 'SIGTERM while running, then SIGINT while draining: forced',
    work: 'until stop now',
    script: [
      ['ready', 'SIGTERM'],
      ['stop requested', 'SIGINT'],
    ],
    says: [
      'stop requested',
      'work is cancelled',
      'scope cleaned up',
      'hook begins',
      'db closed',
      'telemetry',
      'exit 130',
    ],
    code: 130,
  },
  {
    what: 'SIGINT, then SIGTERM while work that ignores its token is drained',
    work: 'stuck',
    script: [
      ['ready', 'SIGINT'],
      ['stop requested', 'SIGTERM'],
    ],
    says: ['stop requested', 'hook begins', 'db closed', 'telemetry', 'exit 143'],
    code: 143,
  },
  {
    what: 'SIGTERM, then SIGHUP while a hook hangs',
    hook: 'hangs',
    script: [
      ['ready', 'SIGTERM'],
      ['hook begins', 'SIGHUP'],
    ],
    says: [...clean.slice(0, -1), 'exit 129'],
    code: 129,
  },
  {
    what: 'SIGTERM, then SIGTERM while a hook runs that obeys its token',
    hook: 'obeys',
    options: { signalDebounce: 0 },
    script: [
      ['ready', 'SIGTERM'],
      ['hook begins', 'SIGTERM'],
    ],
    says: [...clean.slice(0, 3), 'hook is cancelled', ...clean.slice(3, -1), 'exit 143'],
    code: 143,
  },
  {
    what: 'SIGTERM, then SIGINT while readiness is delayed: forced',
    options: { phase: 'stopping', readinessDelay: 600_000, timeout: 600_000 },
    script: [
      ['ready', 'SIGTERM'],
      ['hook begins', 'SIGINT'],
    ],
    says: ['hook begins', 'stop requested', 'scope cleaned up', 'db closed', 'telemetry', 'exit 130'],
    code: 130,
  },
  {
    what: 'SIGTERM, then SIGHUP while a hook of stopping hangs',
    hook: 'hangs',
    options: { phase: 'stopping', hookTimeout: 600_000, timeout: 600_000 },
    script: [
      ['ready', 'SIGTERM'],
      ['hook begins', 'SIGHUP'],
    ],
    says: ['hook begins', 'stop requested', 'scope cleaned up', 'db closed', 'telemetry', 'exit 129'],
    code: 129,
  },
  {
    what: 'SIGTERM, then SIGINT while a hook of draining obeys its token',
    hook: 'obeys',
    options: { phase: 'draining', drainTimeout: 600_000, timeout: 600_000 },
    script: [
      ['ready', 'SIGTERM'],
      ['hook begins', 'SIGINT'],
    ],
    says: [
      'stop requested',
      'hook begins',
      'scope cleaned up',
      'hook is cancelled',
      'db closed',
      'telemetry',
      'exit 130',
    ],
    code: 130,
  },
  {
    what: 'SIGTERM, then SIGINT in the last level: forced, and it still ends',
    hook: 'slow',
    options: { phase: 'final', finalTimeout: 600_000, forceTimeout: 1, watchdog: true },
    script: [
      ['ready', 'SIGTERM'],
      ['hook begins', 'SIGINT'],
    ],
    says: ['stop requested', 'scope cleaned up', 'db closed', 'hook begins', 'hook ends', 'telemetry', 'exit 130'],
    code: 130,
  },
  {
    what: 'SIGTERM, then SIGTERM at once: the same request',
    hook: 'slow',
    // So long that a busy machine does not decide the test.
    options: { signalDebounce: 600_000 },
    script: [
      ['ready', 'SIGTERM'],
      ['stop requested', 'SIGTERM'],
    ],
    says: [...clean.slice(0, 3), 'hook ends', ...clean.slice(3)],
    code: 0,
  },
  {
    what: 'SIGTERM that a framework sends again after its own cleanup: not forced',
    hook: 'slow',
    options: { resends: 100, signalDebounce: 0 },
    script: [['ready', 'SIGTERM']],
    says: [...clean.slice(0, 3), 'hook ends', ...clean.slice(3)],
    code: 0,
  },
  {
    what: 'three signals: the third one exits at once',
    hook: 'hangs',
    work: 'stuck',
    options: { forceTimeout: 600_000, hookTimeout: 600_000, timeout: 600_000, signalDebounce: 0 },
    script: [
      ['ready', 'SIGTERM'],
      ['stop requested', 'SIGTERM'],
      ['hook begins', 'SIGINT'],
    ],
    says: ['stop requested', 'hook begins', 'exit 130'],
    code: 130,
  },
  {
    what: 'SIGTERM, and work that does not end in time: cancelled, and awaited',
    work: 'until stop now',
    options: { drainTimeout: 50 },
    script: [['ready', 'SIGTERM']],
    says: ['stop requested', 'work is cancelled', ...clean.slice(1, -1), 'exit 1'],
    code: 1,
  },
  {
    what: 'SIGTERM, and the total deadline',
    work: 'stuck',
    hook: 'quick',
    options: { timeout: 50 },
    script: [['ready', 'SIGTERM']],
    says: ['stop requested', ...clean.slice(2, -1), 'exit 1'],
    code: 1,
  },
  {
    what: 'a signal that is not in the option: the default action',
    options: { signals: ['SIGTERM'] },
    script: [['ready', 'SIGINT']],
    says: [],
    code: null,
    killedBy: 'SIGINT',
  },
  {
    what: 'SIGTERM, and work that spins as soon as a stop is requested, with a watchdog',
    work: 'spins',
    options: { watchdog: true, timeout: 2_000, forceTimeout: 1 },
    script: [['ready', 'SIGTERM']],
    says: ['stop requested'],
    code: null,
    killedBy: 'SIGKILL',
  },
  {
    what: 'SIGTERM, and a hook that spins, with a watchdog',
    hook: 'spins',
    options: { watchdog: true, timeout: 2_000, forceTimeout: 1 },
    script: [['ready', 'SIGTERM']],
    says: ['stop requested', 'scope cleaned up', 'hook begins'],
    code: null,
    killedBy: 'SIGKILL',
  },
];

/** Puts the name first, because the titles of tests would otherwise cut it off. */
const named = <R extends { readonly what: string }>(table: readonly R[]): [string, R][] =>
  table.map((row) => [row.what, row]);

describe.concurrent('runMain', () => {
  it.each(named(rows))(
    '%s',
    async (_, { hook = 'quick', work = 'none', options = {}, script, says, code, killedBy = null }) => {
      const ended = await drive('service', [hook, work, JSON.stringify(options)], script);
      expect(ended.lines).toEqual(['ready', ...says]);
      const said =
        killedBy === 'SIGKILL'
          ? expect.stringMatching(
              hook === 'spins' ? /^watchdog: .*hook "under test" in phase cleanup/ : /^watchdog: .*phase draining/,
            )
          : '';
      expect([ended.code, ended.killedBy, ended.stderr]).toEqual([code, killedBy, said]);
    },
  );
});

describe.concurrent('a program of runMain', () => {
  it('is shut down when it ends, and leaves no listener installed', async () => {
    const { lines, code, stderr } = await drive('program', ['ends'], []);
    expect(lines).toEqual(['ready', 'main ends', 'db closed', 'no listener is left']);
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /^shutting down: the program has ended\n[\s\S]*stopped with 0 after \d+ m?s \(the program has ended\)/,
    );
  });

  it.each(['fails', 'a task fails', 'throws elsewhere', 'rejects elsewhere'])(
    'is shut down when it %s, and exits with 1',
    async (what) => {
      const { lines, code, stderr } = await drive('program', [what], []);
      expect(lines.filter((line) => line !== 'main ends')).toEqual(['ready', 'db closed', 'no listener is left']);
      expect(code).toBe(1);
      expect(stderr).toMatch(/^shutting down: an error: .*\n(Syntax)?Error: [\s\S]*at .*program\.ts/);
      expect(stderr).toMatch(/stopped with 1/);
      // The error is the reason, and is not reported again as a later error.
      expect(stderr).not.toMatch(/^ {2}error: /m);
    },
  );

  it('is already installed: another installation would count each signal twice', async () => {
    const { lines, code } = await drive('program', ['installs'], [['TypeError', 'SIGTERM']]);
    expect(lines[1]).toMatch(/^TypeError: install: it is installed already/);
    expect([lines.slice(2), code]).toEqual([['main ends', 'db closed', 'no listener is left'], 0]);
  });

  it('is the only one in its process', async () => {
    const { lines } = await drive('program', ['twice'], []);
    expect(lines[1]).toMatch(/^Error: runMain: a program is running/);
  });

  it('has all its output written before the process ends', async () => {
    const { lines, code } = await drive('program', ['prints'], []);
    expect(lines).toContain('printed');
    // Output of the shutdown is in between.
    expect(lines.join('').replaceAll(/[^x]/g, '')).toHaveLength(1_000_000);
    expect(code).toBe(0);
  });

  it('stays alive while only its shutdown is awaited, and ends with its parent', async () => {
    const { lines, code } = await drive('program', ['waits'], [['ready', (child) => child.disconnect()]], {
      ipc: true,
    });
    expect(lines).toEqual(['ready', 'main ends', 'db closed', 'no listener is left']);
    expect(code).toBe(0);
  });

  it('prints its progress on SIGUSR2, and continues', async () => {
    const { stderr, code } = await drive(
      'program',
      ['waits'],
      [
        ['ready', 'SIGUSR2'],
        ['  under way: main', 'SIGTERM'],
      ],
    );
    expect(stderr).toMatch(/^running, 1 in flight\n {2}hook db: waiting\n {2}under way: main \(1 in flight\)/);
    expect(code).toBe(0);
  });
});

describe.concurrent('a shutdown that is installed, without runMain', () => {
  const library: (Omit<Row, 'work'> & { readonly hook: string })[] = [
    {
      what: 'SIGTERM: the process exits when no work is left',
      hook: 'quick',
      script: [['ready', 'SIGTERM']],
      says: ['stop requested', 'hook begins', 'stopped by signal, 0 listeners', 'exit 0'],
      code: 0,
    },
    {
      what: 'SIGTERM, and a hook that throws: process.exitCode is set',
      hook: 'throws',
      script: [['ready', 'SIGTERM']],
      says: ['stop requested', 'hook begins', 'stopped by signal, 0 listeners', 'exit 1'],
      code: 1,
    },
    {
      what: 'SIGINT twice: forced',
      hook: 'hangs',
      options: { signalDebounce: 0 },
      script: [
        ['ready', 'SIGINT'],
        ['hook begins', 'SIGINT'],
      ],
      says: ['stop requested', 'hook begins', 'stopped by signal, 0 listeners', 'exit 130'],
      code: 130,
    },
    {
      what: 'SIGTERM, and a hook that waits without holding the process: the process lives until the timeout',
      hook: 'alone',
      options: { hookTimeout: 50 },
      script: [['ready', 'SIGTERM']],
      says: ['stop requested', 'hook begins', 'stopped by signal, 0 listeners', 'exit 1'],
      code: 1,
    },
    {
      what: 'an uncaught exception',
      hook: 'error',
      script: [],
      says: ['stop requested', 'hook begins', 'stopped by error, 0 listeners', 'exit 1'],
      code: 1,
    },
    {
      what: 'SIGTERM after a dispose: the default action',
      hook: 'disposed',
      script: [['ready', 'SIGTERM']],
      says: [],
      code: null,
      killedBy: 'SIGTERM',
    },
  ];

  it.each(named(library))('%s', async (_, { hook, options = {}, script, says, code, killedBy = null }) => {
    const ended = await drive('library', [hook, JSON.stringify(options)], script);
    expect(ended.lines).toEqual(['ready', ...says]);
    expect([ended.code, ended.killedBy, ended.stderr]).toEqual([code, killedBy, '']);
  });

  it('prints its progress on SIGUSR2, to every kind of log', async () => {
    const ended = await drive(
      'library',
      ['quick', '{"logger":null}'],
      [
        ['ready', 'SIGUSR2'],
        ['  hook work: waiting', 'SIGTERM'],
      ],
    );
    expect(ended.stderr).toMatch(/^running, 0 in flight\n/);
    expect(ended.code).toBe(0);
  });

  it('at a third signal does what the signal would do without the shutdown', async () => {
    const options = JSON.stringify({ forceTimeout: 600_000 });
    // The forced hook is given up at once. The final hook, which waits, keeps the process alive.
    const ended = await drive(
      'final',
      [options],
      [
        ['ready', 'SIGTERM'],
        ['final begins', 'SIGTERM'],
        ['forced', 'SIGTERM'],
      ],
    );
    expect(ended.lines).toEqual(['ready', 'final begins', 'forced']);
    expect([ended.code, ended.killedBy]).toEqual([null, 'SIGTERM']);
  });
});

it("the package throws a helpful error in a runtime without Node's process", async () => {
  const { lines } = await drive('elsewhere', [], []);
  expect(lines).toEqual([expect.stringMatching(/^Error: @quiesce\/shutdown .* needs Node 20\.19 or later/)]);
});

describe('a program whose stderr has been closed', () => {
  it('is shut down as usual', async () => {
    const { lines, code } = await drive(
      'program',
      ['waits'],
      [
        [
          'ready',
          (child) => {
            child.stderr?.destroy();
            child.kill('SIGTERM');
          },
        ],
      ],
    );
    expect(lines).toEqual(['ready', 'main ends', 'db closed', 'no listener is left']);
    expect(code).toBe(0);
  });
});

describe('an installed shutdown that logs to a closed stderr', () => {
  it.each(['error', 'quick'])('records that once, and ends (%s)', async (hook) => {
    const { lines, code, killedBy } = await drive(
      'unread',
      [hook],
      [
        [
          'ready',
          (child) => {
            child.stderr?.destroy();
            child.stderr?.once('close', () => child.kill('SIGTERM'));
          },
        ],
      ],
    );
    expect(lines).toEqual(['ready', 'stop requested', 'stopped with 1']);
    expect([code, killedBy]).toEqual([1, null]);
  });
});
