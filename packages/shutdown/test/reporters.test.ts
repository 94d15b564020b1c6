// The watchdog and systemd, when they cannot be started or fail.
import { EventEmitter } from 'node:events';
import { formatLogEvent, type LogEvent } from '@quiesce/shutdown';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { start } from './vocabulary.ts';

const getBuiltinModule = process.getBuiltinModule.bind(process);

/** Replaces a built-in module. */
function replace(name: string, module: object): void {
  vi.spyOn(process, 'getBuiltinModule').mockImplementation(((wanted: string) =>
    wanted === name ? module : getBuiltinModule(wanted)) as never);
}

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

/** Runs a shutdown with a hook, and returns the log lines. */
async function run(options: object, reason: string, during: () => void = () => {}): Promise<string[]> {
  const lines: string[] = [];
  const logger = (event: LogEvent): unknown => lines.push(formatLogEvent(event, { oneLine: true }));
  const { shutdown, log, say, end } = start({ ...options, logger });
  shutdown.hook('db', () => {
    during();
    say('db');
  });
  shutdown.request(reason);
  expect((await end()).exitCode).toBe(0);
  expect(log).toEqual(['0 db']);
  return lines;
}

const refused = (): never => {
  throw new Error('Access to this API has been restricted');
};

describe('a watchdog', () => {
  it('that cannot be started is logged, and the shutdown continues without it', async () => {
    replace('node:worker_threads', {
      Worker: class {
        constructor() {
          refused();
        }
      },
    });
    expect(await run({ watchdog: true }, 'deploy')).toContain(
      'the watchdog could not be started: Access to this API has been restricted',
    );
  });

  it('with a thread that fails is logged, and requests nothing', async () => {
    const made: EventEmitter[] = [];
    class Worker extends EventEmitter {
      constructor() {
        super();
        made.push(this);
      }
      unref(): void {}
    }
    replace('node:worker_threads', { Worker });
    const lines = await run({ watchdog: true }, 'deploy', () => made[0]?.emit('error', new Error('out of memory')));
    expect(lines).toContain('the watchdog has failed: out of memory');
  });
});

describe('systemd', () => {
  it('that cannot be notified is logged', async () => {
    vi.stubEnv('NOTIFY_SOCKET', '/run/systemd/notify');
    vi.stubEnv('SYSTEMD_EXEC_PID', undefined);
    replace('node:child_process', { spawn: refused });
    expect(await run({}, 'deploy')).toContain('systemd could not be notified: Access to this API has been restricted');
  });

  it('is notified in one line, whatever the reason is, and of the longest duration', async () => {
    vi.stubEnv('NOTIFY_SOCKET', '/run/systemd/notify');
    vi.stubEnv('SYSTEMD_EXEC_PID', undefined);
    const notified: unknown[] = [];
    const child = Object.assign(new EventEmitter(), { unref: () => {} });
    const spawn = (...all: unknown[]): object => {
      notified.push(all.slice(0, 2));
      return child;
    };
    replace('node:child_process', { spawn });
    await run({}, 'a\0b\r\u001b[2Jc');
    await run({ timeout: Number.POSITIVE_INFINITY }, 'slow');
    expect(notified).toMatchObject([
      ['systemd-notify', ['STOPPING=1', 'STATUS=shutting down: a b  [2Jc', 'EXTEND_TIMEOUT_USEC=28000000']],
      ['systemd-notify', ['STOPPING=1', 'STATUS=shutting down: slow']],
    ]);
  });

  it.each([
    ['the option says so', { systemd: false }, {}],
    ['the service is another process', {}, { SYSTEMD_EXEC_PID: '1' }],
    ['`NOTIFY_SOCKET` is missing', {}, { NOTIFY_SOCKET: undefined }],
  ])('is not notified when %s', async (_, options, env) => {
    const all: Record<string, string | undefined> = {
      NOTIFY_SOCKET: '/run/systemd/notify',
      SYSTEMD_EXEC_PID: String(process.pid),
      ...env,
    };
    for (const [name, value] of Object.entries(all)) vi.stubEnv(name, value);
    const spawn = vi.fn();
    replace('node:child_process', { spawn });
    await run(options, 'deploy');
    expect(spawn).not.toHaveBeenCalled();
  });

  it('with an exit code other than 0 is logged', async () => {
    vi.stubEnv('NOTIFY_SOCKET', '/run/systemd/notify');
    vi.stubEnv('SYSTEMD_EXEC_PID', String(process.pid));
    const child = Object.assign(new EventEmitter(), { unref: () => {} });
    replace('node:child_process', { spawn: () => child });
    const failed = await run({}, 'deploy', () => child.emit('exit', 1));
    expect(failed).toContain('systemd-notify failed with 1; the unit needs NotifyAccess=all');
    const succeeded = await run({}, 'deploy', () => child.emit('exit', 0));
    expect(succeeded.filter((line) => line.includes('systemd'))).toEqual([]);
  });
});
