/**
 * Checks that an installed peer has a major version that the adapter supports. Bundled programs contain no package.json: when the
 * version cannot be read, the check passes.
 *
 * @throws TypeError when the installed version is of another major version. It names the call, the peer and the versions that fit.
 */
export function checkPeer(call: string, peer: string, majors: readonly number[]): void {
  const version = versionOf(peer);
  if (version === undefined || majors.includes(Number.parseInt(version, 10))) return;
  const fitting = majors.map((major) => `^${major}`).join(' || ');
  throw new TypeError(
    `${call} supports ${peer} ${fitting}, and ${peer} ${version} is installed: npm install "${peer}@${fitting}"`,
  );
}

const versions = new Map<string, string | undefined>();

function versionOf(peer: string): string | undefined {
  if (!versions.has(peer)) versions.set(peer, readVersion(peer));
  return versions.get(peer);
}

/** Searches the folders above the peer's main file, because `exports` may hide its package.json. */
function readVersion(peer: string): string | undefined {
  try {
    // CommonJS and some bundles have no `import.meta.url`.
    const { resolve } = process.getBuiltinModule('node:module').createRequire(import.meta.url ?? process.argv[1]);
    const { dirname, join } = process.getBuiltinModule('node:path');
    for (let folder = dirname(resolve(peer)); folder !== dirname(folder); folder = dirname(folder)) {
      const found = readManifest(join(folder, 'package.json'));
      if (found?.name === peer) return found.version;
    }
  } catch {
    // Not resolvable: the program is bundled, or the peer has no CommonJS entry. Or the runtime has no modules of Node.
  }
  return undefined;
}

function readManifest(file: string): { name?: string; version?: string } | undefined {
  try {
    return JSON.parse(process.getBuiltinModule('node:fs').readFileSync(file, 'utf8')) as {
      name?: string;
      version?: string;
    };
  } catch {
    return undefined;
  }
}
