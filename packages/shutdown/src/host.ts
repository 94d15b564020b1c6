/**
 * Node, asked for here and nowhere else: no module of ours imports `node:…` statically, so that whoever bundles this for a
 * browser reads a sentence instead of a resolver's complaint.
 */
type Process = typeof process;

const found = (globalThis as { process?: Partial<Process> }).process;
// workerd has the function without the modules.
if (found?.getBuiltinModule?.('node:worker_threads') === undefined) {
  throw new Error(
    '@quiesce/shutdown is about processes and their signals: it needs Node 20.19 or later, or a runtime with ' +
      'process.getBuiltinModule. Elsewhere use @quiesce/scope, which has everything but the process.',
  );
}

/** The process that we are in. */
export const host: Process = found as Process;
