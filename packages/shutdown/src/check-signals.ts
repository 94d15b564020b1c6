import { host } from './host.ts';

/** Facts about a process and its ancestors. */
export interface ProcessFacts {
  /** The process ID. The first process of a container has 1. */
  readonly pid: number;
  /** The command line of process 1, words separated by spaces, or `undefined` when it is unknown. */
  readonly init: string | undefined;
  /** The command line of the parent, or `undefined` when it is unknown. */
  readonly parent: string | undefined;
  /** The environment variables. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

const shells = ['sh', 'bash', 'dash', 'ash', 'zsh', 'ksh', 'busybox'];
/** Init programs of containers that pass signals on to their one child only. dumb-init is not one: it signals the whole group. */
const inits = ['tini', 'docker-init', 'catatonit'];
const managers = ['npm', 'npx', 'yarn', 'pnpm', 'corepack'];
const wrappers = ['nodemon', 'tsx', 'concurrently', 'ts-node-dev', 'tsnd', 'nx', 'turbo', 'foreman', 'forever', 'bunx'];

/** Options of node that take the next word as their value. */
const withValue = ['-r', '--require', '--import', '--loader', '--experimental-loader', '-C', '--conditions'];

/**
 * Warns when signals may not reach this process.
 *
 * It recognises a shell or a package manager that is process 1 of the container, a shell between this process and the init of
 * the container, and a package manager or a wrapper, such as nodemon, that started this process. `runMain` calls it at its start.
 *
 * **Timing.** Synchronous. Reads `/proc`, where it exists, unless `facts` is given.
 *
 * @param facts default: the facts of this process
 * @returns one sentence for each obstacle. Empty when none was found
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
      `process 1 is a shell: it gets SIGTERM (${init}), and does not pass it on. ` +
        'Write CMD ["node", …] as a list, or exec node …',
    );
  }
  const isScript = env['npm_lifecycle_event'] !== undefined;
  if (isOneOf(init, inits) && !/ -g( |$)/.test(init ?? '') && isOneOf(parent, shells) && !isScript) {
    warnings.push(
      `the parent is a shell: process 1 passes SIGTERM on to it (${parent}), and the shell does not pass it on. ` +
        'Write exec node …, or start node without the shell',
    );
  }
  const manager = isOneOf(init, managers) ? init : isOneOf(parent, managers) ? parent : undefined;
  if (manager !== undefined || isScript) {
    const how = manager ?? `the script ${JSON.stringify(env['npm_lifecycle_event'])}`;
    warnings.push(
      `a package manager started this process (${how}): it gets the signals, may pass on one twice, and hides the ` +
        'exit code. Start node itself',
    );
  }
  const wrapper = [init, parent].find(
    (command) => isOneOf(command, wrappers) || /node (-\S+ )*--watch\b/.test(command ?? ''),
  );
  if (wrapper !== undefined) {
    warnings.push(
      `a wrapper started this process (${wrapper}): it gets the signals, may pass on one twice, and hides the ` +
        'exit code. In production start node itself',
    );
  }
  return warnings;
}

/** Returns whether `names` contains the program of a command line, or the script or package that node runs. */
function isOneOf(command: string | undefined, names: readonly string[]): boolean {
  const [program = '', ...given] = (command ?? '').split(' ');
  const script = given.find((word, at) => !word.startsWith('-') && !withValue.includes(given[at - 1] ?? ''));
  const path = /(^|\/)node$/.test(program) ? (script ?? '') : program;
  const file = (path.split('/').pop() ?? '').replace(/(-cli)?(\.[cm]?js)?$/, '').replace(/^-/, '');
  return names.includes(file) || names.includes(/\/node_modules\/([^/]+)\//.exec(path)?.[1] ?? '');
}

/** Whether the parent of this process is a program or a package with this name. False where there is no `/proc`. */
export function isStartedBy(name: string): boolean {
  return isOneOf(commandOf(host.ppid), [name]);
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
