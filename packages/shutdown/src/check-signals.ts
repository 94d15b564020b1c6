import { host } from './host.ts';

/** What is known of a process and of those above it. */
export interface ProcessFacts {
  /** Its number; 1: the first process of a container. */
  readonly pid: number;
  /** The command line of process 1, its words separated by spaces; `undefined`: unknown. */
  readonly init: string | undefined;
  /** That of the parent. */
  readonly parent: string | undefined;
  /** The environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

const shells = ['sh', 'bash', 'dash', 'ash', 'zsh', 'ksh', 'busybox'];
/** What stands for an init in a container, and passes signals on to its one child; dumb-init does so to all below. */
const inits = ['tini', 'docker-init', 'catatonit'];
const managers = ['npm', 'npx', 'yarn', 'pnpm', 'corepack'];
const wrappers = ['nodemon', 'tsx', 'concurrently', 'ts-node-dev', 'tsnd', 'nx', 'turbo', 'foreman', 'forever', 'bunx'];

/** Options of node whose value is the next word. */
const withValue = ['-r', '--require', '--import', '--loader', '--experimental-loader', '-C', '--conditions'];

/**
 * Warns when the process is not the one that gets the signals: below a shell or a package manager that is process 1 of its
 * container, below a shell between it and a container's init, or started by a package manager or a wrapper, such as nodemon.
 *
 * **Timing.** Synchronous; reads `/proc` where there is one, unless the facts are given.
 *
 * @param facts default: those of this process
 * @returns a sentence for each thing that stands in the way; empty: all is well, as far as can be seen
 * @example
 * ```ts
 * const facts = { pid: 7, init: 'sh -c node server.js', parent: 'sh -c node server.js', env: {} };
 * console.log(checkSignals(facts)[0]?.split(':')[0]); // => process 1 is a shell
 * ```
 */
export function checkSignals(facts: ProcessFacts = factsOfThisProcess()): string[] {
  const { pid, init, parent, env } = facts;
  if (pid === 1) return [];
  const warnings: string[] = [];
  if (isOneOf(init, shells)) {
    warnings.push(
      `process 1 is a shell: it gets SIGTERM (${init}), and does not pass it on; write CMD ["node", …] as a list, or exec node …`,
    );
  }
  const isScript = env['npm_lifecycle_event'] !== undefined;
  if (isOneOf(init, inits) && !/ -g( |$)/.test(init ?? '') && isOneOf(parent, shells) && !isScript) {
    warnings.push(
      `the parent is a shell: process 1 passes SIGTERM on to it (${parent}), and there it ends; write exec node …, or leave the shell out`,
    );
  }
  const manager = isOneOf(init, managers) ? init : isOneOf(parent, managers) ? parent : undefined;
  if (manager !== undefined || isScript) {
    const how = manager ?? `the script ${JSON.stringify(env['npm_lifecycle_event'])}`;
    warnings.push(
      `a package manager started this process (${how}): it gets the signals, may pass on one twice, and hides the exit code; start node itself`,
    );
  }
  const wrapper = [init, parent].find(
    (command) => isOneOf(command, wrappers) || /node (-\S+ )*--watch\b/.test(command ?? ''),
  );
  if (wrapper !== undefined) {
    warnings.push(
      `a wrapper started this process (${wrapper}): it gets the signals, may pass on one twice, and hides the exit code; in production start node itself`,
    );
  }
  return warnings;
}

/** Whether the program of a command line, or the script or the package that node runs in it, is one of these. */
function isOneOf(command: string | undefined, names: readonly string[]): boolean {
  const [program = '', ...given] = (command ?? '').split(' ');
  const script = given.find((word, at) => !word.startsWith('-') && !withValue.includes(given[at - 1] ?? ''));
  const path = /(^|\/)node$/.test(program) ? (script ?? '') : program;
  const file = (path.split('/').pop() ?? '').replace(/(-cli)?(\.[cm]?js)?$/, '').replace(/^-/, '');
  return names.includes(file) || names.includes(/\/node_modules\/([^/]+)\//.exec(path)?.[1] ?? '');
}

function factsOfThisProcess(): ProcessFacts {
  return { pid: host.pid, init: commandOf(1), parent: commandOf(host.ppid), env: host.env };
}

function commandOf(pid: number): string | undefined {
  try {
    const { readFileSync } = host.getBuiltinModule('node:fs');
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return undefined;
  }
}
