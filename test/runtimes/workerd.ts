// workerd, Cloudflare's runtime, without its flags for Node: each bundle is a worker in a process of its own, run by a request.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Options, Outcome } from './inside/main.ts';
import { patience } from './processes.ts';
import type { Session } from './runtimes.ts';

/** The bundle keeps its name, which stands in stacks. */
const main = (name: string): string => `import run from '${name}';
export default { fetch: async (request) => Response.json(await run(await request.json())) };`;

/** @param date of the runtime's behaviour, which must not be later than its version */
function configuration(name: string, date: string): string {
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "tests", worker = .tests)],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "tests")],
);
const tests :Workerd.Worker = (
  modules = [
    (name = "main.mjs", esModule = embed "main.mjs"),
    (name = "${name}", esModule = embed "${name}"),
  ],
  compatibilityDate = "${date}",
  compatibilityFlags = ["no_nodejs_compat"],
);
`;
}

export async function workerd(binary: string): Promise<Session> {
  const { status, stdout, stderr } = spawnSync(binary, ['--version'], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`workerd does not start: ${stderr.trim().split('\n')[0]}`);
  const date = stdout.trim().replace('workerd ', '');
  const folder = mkdtempSync(join(tmpdir(), 'quiesce-workerd-'));
  let count = 0;
  return {
    version: date,
    run: (bundle, _file, options) => {
      const name = basename(bundle);
      const own = join(folder, String(count++));
      mkdirSync(own);
      // It embeds what lies beside its configuration.
      copyFileSync(bundle, join(own, name));
      writeFileSync(join(own, 'main.mjs'), main(name));
      writeFileSync(join(own, 'config.capnp'), configuration(name, date));
      return runOne(binary, own, options);
    },
    close: async () => rmSync(folder, { recursive: true, force: true }),
  };
}

async function runOne(binary: string, folder: string, options: Options): Promise<Outcome> {
  const child = spawn(binary, ['serve', 'config.capnp', '--control-fd=3'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk) => {
      said = (said + String(chunk)).slice(-2_000);
    });
  }
  try {
    const port = await portOf(child);
    const response = await fetch(`http://127.0.0.1:${port}/`, {
      method: 'POST',
      body: JSON.stringify(options),
      signal: AbortSignal.timeout(patience),
    });
    const text = await response.text();
    if (response.ok) return JSON.parse(text) as Outcome;
    return { results: [], errors: [`workerd answered ${response.status}: ${text}\n${said}`] };
  } catch (error) {
    return { results: [], errors: [`${String(error)}\n${said}`] };
  } finally {
    child.kill('SIGKILL');
  }
}

/** workerd says on the third descriptor where it listens. */
function portOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => reject(new Error(`workerd ended with ${code}`)));
    let text = '';
    (child.stdio[3] as Readable).on('data', (chunk) => {
      text += String(chunk);
      const [, port] = /"event":"listen".*"port":(\d+)/.exec(text) ?? [];
      if (port !== undefined) resolve(Number(port));
    });
  });
}
