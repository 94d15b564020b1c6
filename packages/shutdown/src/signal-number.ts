import { host } from './host.ts';

/** Returns the number of a signal on this system, or 0 when the system does not know it. */
export function signalNumber(signal: string): number {
  const { signals } = host.getBuiltinModule('node:os').constants;
  return (signals as Record<string, number | undefined>)[signal] ?? 0;
}
