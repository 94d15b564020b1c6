import { host } from './host.ts';
import type { Limits } from './options.ts';
import { oneLine } from './request.ts';

/**
 * Tells systemd that the service is stopping, and how much time it may need, where `NOTIFY_SOCKET` says that it listens.
 *
 * Node has no datagram sockets of the file system, so `systemd-notify` sends it, which is a process of its own: the unit needs
 * `NotifyAccess=all`. Nobody waits for it.
 *
 * @param onFailure called when it could not be started, or failed
 */
export function notifySystemd(limits: Limits, status: string, onFailure: (text: string) => void): void {
  const { NOTIFY_SOCKET: socket, SYSTEMD_EXEC_PID: service } = host.env;
  // Children inherit both, and it is not for them to say that the service is stopping.
  if (socket === undefined || (service !== undefined && service !== String(host.pid))) return;
  const ms = limits.timeout + limits.forceTimeout + limits.finalTimeout;
  const lines = ['STOPPING=1', `STATUS=${oneLine(status)}`];
  if (Number.isFinite(ms)) lines.push(`EXTEND_TIMEOUT_USEC=${Math.ceil(ms * 1_000)}`);
  const { spawn } = host.getBuiltinModule('node:child_process');
  const child = spawn('systemd-notify', lines, { stdio: 'ignore' });
  child.once('error', (error) => onFailure(`systemd-notify could not be started: ${error.message}`));
  child.once('exit', (code) => {
    if (code !== 0) onFailure(`systemd-notify failed with ${code}; the unit needs NotifyAccess=all`);
  });
  child.unref();
}
