/**
 * The only access to Node. No module imports `node:…` statically, so that a bundle for browsers fails with the sentence below
 * and not with an error of the bundler's resolver.
 */
type Process = typeof process;

const found = (globalThis as { process?: Partial<Process> }).process;
// workerd has the function without the modules.
if (found?.getBuiltinModule?.('node:worker_threads') === undefined) {
  throw new Error(
    '@quiesce/shutdown is about processes and their signals: it needs Node 20.19 or later, or a runtime with ' +
      'process.getBuiltinModule. Elsewhere use @quiesce/scope, which needs no process.',
  );
}

/** This process. */
export const host: Process = found as Process;

/** Returns the number of a signal on this system, or 0 when the system does not know it. */
export function signalNumber(signal: string): number {
  const { signals } = host.getBuiltinModule('node:os').constants;
  return (signals as Record<string, number | undefined>)[signal] ?? 0;
}
