import { host } from './host.ts';

/** The number of a signal of this system; 0 for one that it does not know. */
export function signalNumber(signal: string): number {
  const { signals } = host.getBuiltinModule('node:os').constants;
  return (signals as Record<string, number | undefined>)[signal] ?? 0;
}
