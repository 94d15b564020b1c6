// The parts of `node:fs`, `node:path` and `node:url` that test files use to read the repository, for runtimes without files.

declare global {
  interface ImportMeta {
    glob(paths: string[], options: { query: '?raw'; import: 'default'; eager: true }): Record<string, string>;
  }
}

/** The files, by their path from the root of the clone. */
const texts = import.meta.glob(
  [
    '/docs/guide/scope-outcomes.md',
    '/packages/select/README.md',
    '/packages/broadcast-channel/test/retention.leak.ts',
    '/test/conformance/{python,tokio}/*.{txt,json}',
    '/test/conformance/tokio-tests/*.{ts,json}',
  ],
  { query: '?raw', import: 'default', eager: true },
);

function pathOf(path: string | URL): string {
  return typeof path === 'string' ? path : path.pathname;
}

export const fileURLToPath = pathOf;
export const join = (...parts: string[]): string => parts.join('/').replace(/\/+/g, '/');

export function readdirSync(folder: string): string[] {
  return Object.keys(texts)
    .filter((path) => path.startsWith(`${folder}/`))
    .map((path) => path.slice(folder.length + 1));
}

export function existsSync(path: string | URL): boolean {
  return Object.hasOwn(texts, pathOf(path)) || readdirSync(pathOf(path)).length > 0;
}

export function readFileSync(path: string | URL): string {
  const text = texts[pathOf(path)];
  if (text === undefined)
    throw new Error(`test/runtimes/inside/files.ts does not import ${pathOf(path)}: add it there`);
  return text;
}
