/**
 * Checks that an installed peer has a major version that the adapter supports. Bundled programs contain no package.json: when the
 * version cannot be read, the check passes.
 *
 * @throws TypeError when the installed version is of another major version. It names the call, the peer and the versions that fit.
 */
export function checkPeer(call: string, peer: string, majors: readonly number[]): void {
  // CommonJS and some bundles have no `import.meta.url`.
  const version = versionOf(peer, import.meta.url ?? process.argv[1]);
  if (version === undefined || majors.includes(Number.parseInt(version, 10))) return;
  const fitting = majors.map((major) => `^${major}`).join(' || ');
  throw new TypeError(
    `${call} supports ${peer} ${fitting}, and ${peer} ${version} is installed: npm install "${peer}@${fitting}"`,
  );
}

const versions = new Map<string, string | undefined>();

function versionOf(peer: string, from: string): string | undefined {
  if (!versions.has(peer)) versions.set(peer, readVersion(peer, from));
  return versions.get(peer);
}

/** Returns the version of a package that a module imports. `undefined` when it cannot be read. */
export function readVersion(peer: string, from: string): string | undefined {
  try {
    const { resolve } = process.getBuiltinModule('node:module').createRequire(from);
    const { dirname, join } = process.getBuiltinModule('node:path');
    // Not `resolve` alone: `exports` may hide package.json, and a peer may have no CommonJS entry.
    for (const modules of resolve.paths(peer) ?? []) {
      const found = readManifest(join(modules, peer, 'package.json'));
      if (found?.name === peer) return found.version;
    }
    // Yarn's Plug'n'Play has no `node_modules`.
    for (let folder = dirname(resolve(peer)); folder !== dirname(folder); folder = dirname(folder)) {
      const found = readManifest(join(folder, 'package.json'));
      if (found?.name === peer) return found.version;
    }
  } catch {
    // The program is bundled, or the runtime has no modules of Node.
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
