import { oneLine } from './describe-error.ts';
import type { Reporter } from './events.ts';
import { host } from './host.ts';
import type { Limits } from './options.ts';
import { describeRequest } from './request.ts';
import type { ShutdownLog } from './shutdown-log.ts';

/** Notifies systemd of the request. Logs a warning when that fails. */
export function systemdReporter(limits: Limits, log: ShutdownLog): Reporter {
  return (event) => {
    if (event.type !== 'requested') return;
    const status = `shutting down: ${describeRequest(event.request)}`;
    const onFailure = (text: string, error?: { readonly err: unknown }): void => log.warn('systemd', text, error);
    log.attempt('systemd', 'systemd could not be notified', () => notifySystemd(limits, status, onFailure));
  };
}

/**
 * Notifies systemd, when `NOTIFY_SOCKET` is set, that the service is stopping and how much time it may need.
 *
 * Node has no datagram sockets of the file system, so the program `systemd-notify` sends the message. It is another process:
 * the unit needs `NotifyAccess=all`. It is not awaited.
 *
 * @param onFailure called when the program could not be started, or failed
 */
function notifySystemd(
  limits: Limits,
  status: string,
  onFailure: (text: string, error?: { readonly err: unknown }) => void,
): void {
  const { NOTIFY_SOCKET: socket, SYSTEMD_EXEC_PID: service } = host.env;
  // Children inherit both variables. Only the service itself notifies.
  if (socket === undefined || (service !== undefined && service !== String(host.pid))) return;
  const ms = limits.timeout + limits.forceTimeout + limits.finalTimeout;
  const lines = ['STOPPING=1', `STATUS=${oneLine(status)}`];
  if (Number.isFinite(ms)) lines.push(`EXTEND_TIMEOUT_USEC=${Math.ceil(ms * 1_000)}`);
  const { spawn } = host.getBuiltinModule('node:child_process');
  const child = spawn('systemd-notify', lines, { stdio: 'ignore' });
  child.once('error', (err) => onFailure('systemd-notify could not be started', { err }));
  child.once('exit', (code) => {
    if (code !== 0) onFailure(`systemd-notify failed with ${code}; the unit needs NotifyAccess=all`);
  });
  child.unref();
}
