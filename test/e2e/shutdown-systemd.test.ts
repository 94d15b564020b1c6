// The notifications to systemd. A script replaces systemd-notify, because not every machine has it.
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { drive } from './shutdown/drive.ts';

describe('systemd', () => {
  const bin = fileURLToPath(new URL('shutdown/bin', import.meta.url));
  const folder = mkdtempSync(join(tmpdir(), 'quiesce-notify-'));
  const options = JSON.stringify({ timeout: 2_000, forceTimeout: 500, finalTimeout: 500 });

  it('is notified that the service stops, with the reason and the time limit', async () => {
    const NOTIFY_SOCKET = join(folder, 'notified');
    const env = { NOTIFY_SOCKET, PATH: `${bin}:${process.env['PATH']}` };
    // The hook takes long enough for the message to be sent: another process sends it, and is not awaited.
    const { code } = await drive('notified', [NOTIFY_SOCKET, options], [['ready', 'SIGTERM']], { env });
    expect(code).toBe(0);
    expect(readFileSync(NOTIFY_SOCKET, 'utf8').trim().split('\n')).toEqual([
      ...['STOPPING=1', 'STATUS=shutting down: SIGTERM', 'EXTEND_TIMEOUT_USEC=3000000'],
    ]);
  });

  it('is reported in a warning when it cannot be notified, and nothing else changes', async () => {
    const NOTIFY_SOCKET = join(folder, 'unreachable');
    const { code, stderr } = await drive(
      'notified',
      [NOTIFY_SOCKET, options],
      [
        ['ready', 'SIGTERM'],
        ['systemd-notify could not be started', (child) => child.send('go on')],
      ],
      { env: { NOTIFY_SOCKET, PATH: folder }, ipc: true },
    );
    expect([code, stderr.includes('ENOENT')]).toEqual([0, true]);
  });

  it('is not notified by a child of the service, which has inherited its environment', async () => {
    const env = { NOTIFY_SOCKET: join(folder, 'child'), SYSTEMD_EXEC_PID: '1', PATH: folder };
    const { code, stderr } = await drive('program', ['waits'], [['ready', 'SIGTERM']], { env });
    expect([code, stderr.includes('systemd')]).toEqual([0, false]);
  });

  it('is not notified when it does not listen', async () => {
    const { code, stderr } = await drive('program', ['waits'], [['ready', 'SIGTERM']], { env: { PATH: folder } });
    expect([code, stderr.includes('systemd')]).toEqual([0, false]);
  });
});
