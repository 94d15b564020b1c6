// Runs child processes as if they ran alone: passes their exit code on, and signals to them.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

// The tools would otherwise leave caches in the machine's temporary folder.
const tidy = { TSX_DISABLE_CACHE: '1', NODE_DISABLE_COMPILE_CACHE: '1' };

/** @param {string} text */
export function say(text) {
  console.log(`quiesce: ${text}`);
}

/**
 * Prints the start and the end of a step, with its result and duration.
 *
 * @param {string} title
 * @param {() => Promise<number>} work resolves with the exit code
 */
export async function step(title, work) {
  say(`${title} …`);
  const start = performance.now();
  const code = await work();
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  say(code === 0 ? `${title}: done in ${seconds} s` : `${title}: FAILED after ${seconds} s (exit code ${code})`);
  return code;
}

/**
 * @param {string[]} args
 * @param {{ isHeld?: boolean }} [options]
 * @returns {Promise<number>}
 */
export function node(args, options) {
  return start(process.execPath, args, options);
}

/**
 * @param {string} file
 * @param {string[]} args
 * @param {{ onOutput?: (text: string) => void, isHeld?: boolean, shell?: boolean }} [options] with `onOutput` the output is
 *   shown and also passed to it; with `isHeld` it is shown when the child has ended, because other children write as well
 * @returns {Promise<number>} the exit code; when a signal ended the child, the same signal ends this process
 */
export function start(file, args, { onOutput, isHeld = false, shell = false } = {}) {
  const output = onOutput === undefined && !isHeld ? 'inherit' : 'pipe';
  /** @type {[NodeJS.WriteStream, Buffer][]} */
  const held = [];
  const child = spawn(file, args, {
    cwd: root,
    env: { ...process.env, ...tidy },
    stdio: ['inherit', output, output],
    shell,
  });
  for (const name of /** @type {const} */ (['stdout', 'stderr'])) {
    child[name]?.on('data', (chunk) => {
      if (isHeld) held.push([process[name], chunk]);
      else process[name].write(chunk);
      onOutput?.(String(chunk));
    });
  }
  const release = forwardSignals(child);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      release();
      for (const [stream, chunk] of held) stream.write(chunk);
      if (signal === null) resolve(code ?? 1);
      else process.kill(process.pid, signal);
    });
  });
}

/**
 * Forwards signals to a child. A terminal sends Ctrl-C to the whole process group, so the child has already received it, and a
 * second one would force its end. Without a terminal, only this process receives the signal.
 *
 * @param {import('node:child_process').ChildProcess} child
 * @returns {() => void} a function that stops forwarding
 */
function forwardSignals(child) {
  /** @param {NodeJS.Signals} signal */
  const forward = (signal) => {
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
  };
  /** @type {NodeJS.Signals[]} */
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, forward);
  return () => {
    for (const signal of signals) process.off(signal, forward);
  };
}
