import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { copyInstalled, linkPeers } from './pack.ts';
import { publicPackages, root } from './packages.ts';

const packages = publicPackages();
const consumers = fileURLToPath(new URL('consumers', import.meta.url));

const specifiers = packages.flatMap(({ manifest, entries }) =>
  [...entries.keys()].map((subpath) => manifest.name + subpath.slice(1)),
);

// Outside the clone, because Node would otherwise find the workspace's packages in a parent folder.
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'quiesce-consumer-'));
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'consumer', private: true, type: 'module' }));
  copyInstalled(folder);
  linkPeers(folder, packages);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('packages that are installed from tarballs alone', () => {
  test('export the same names by import and by require', () => {
    const list = JSON.stringify(specifiers);
    const namesBy = (load: string, type: string): Record<string, string[]> => {
      const keep = `names[name] = Object.keys(${load}).sort();`;
      const program = `const names = {}; for (const name of ${list}) ${keep} console.log(JSON.stringify(names));`;
      return JSON.parse(run(`--input-type=${type}`, '-e', program));
    };
    const byImport = namesBy('await import(name)', 'module');
    expect(byImport).toEqual(namesBy('require(name)', 'commonjs'));
    expect(Object.values(byImport)).not.toContainEqual([]);
  });

  test.each(packages)('$manifest.name has a consumer in test/package/consumers', ({ folder }) => {
    expect(['.', 'node', 'esm'].flatMap(consumersIn)).toContain(`${folder}.ts`);
  });
});

const resolutions = [
  { moduleResolution: 'node16', module: 'node16', extensions: ['mts', 'cts'] },
  { moduleResolution: 'bundler', module: 'esnext', extensions: ['ts'] },
];
const platforms = [
  { name: 'the DOM and without @types/node', lib: ['es2022', 'dom'], types: [], folders: ['.', 'esm'] },
  { name: '@types/node and without the DOM', lib: ['es2022'], types: ['node'], folders: ['.', 'node'] },
];

describe.each(resolutions)(
  'a consumer with moduleResolution $moduleResolution',
  ({ moduleResolution, module, extensions }) => {
    test.each(platforms)(
      'compiles against $name, including the declarations of libraries',
      ({ lib, types, folders }) => {
        const project = join(folder, `${moduleResolution}-${types.length}`);
        for (const extension of extensions) copyConsumers(project, extension, folders);
        const compilerOptions = {
          target: 'es2022',
          strict: true,
          exactOptionalPropertyTypes: true,
          skipLibCheck: false,
          rootDir: '.',
          outDir: 'out',
          typeRoots: [join(root, 'node_modules/@types')],
          ...{ moduleResolution, module, lib, types },
        };
        writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions }));
        expect(compile(project, 'typescript-7')).toBe('');
        // Most users still have TypeScript 6, which takes several times as long. It checks one of the four combinations.
        if (moduleResolution === 'bundler' && types.length > 0) expect(compile(project, 'typescript')).toBe('');
        if (moduleResolution !== 'node16') return;
        // In one process: each one starts when nothing of the one before is in progress.
        const program = `
          const files = process.argv.slice(1);
          process.on('beforeExit', () => {
            // Node ends when no callback is left.
            if (files.length > 0) setImmediate(() => import(files.shift()));
          });
          process.on('exit', () => {
            if (files.length > 0) process.exitCode = 1;
          });`;
        const files = readdirSync(join(project, 'out')).map((file) => pathToFileURL(join(project, 'out', file)).href);
        run('--input-type=module', '-e', program, '--', ...files);
      },
    );
  },
);

/** Consumers in `node` use entries that run on Node only. Those in `esm` need ES modules and a peer whose declarations need the DOM. */
function consumersIn(subfolder: string): string[] {
  return readdirSync(join(consumers, subfolder)).filter((file) => file.endsWith('.ts'));
}

function copyConsumers(project: string, extension: string, folders: string[]): void {
  for (const subfolder of folders.filter((name) => name !== 'esm' || extension !== 'cts')) {
    for (const file of consumersIn(subfolder)) {
      // Its declarations merge into those of other libraries. A program cannot have them twice.
      if (file === 'adapters.ts' && extension === 'cts') continue;
      cpSync(join(consumers, subfolder, file), join(project, file.replace(/ts$/, extension)));
    }
  }
}

/** Returns the errors of the compiler, empty when there are none. */
function compile(project: string, compiler: string): string {
  try {
    return run(join(root, 'node_modules', compiler, 'bin/tsc'), '-p', project);
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}

/** Returns the output of a new Node process in the consumer's folder. */
function run(...args: string[]): string {
  return execFileSync(process.execPath, args, { cwd: folder, encoding: 'utf8' }).trim();
}
