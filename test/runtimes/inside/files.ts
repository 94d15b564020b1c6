// `node:fs`, `node:path` and `node:url` for runtimes without files: what tests read was put into the bundle.
const inlined: Record<string, string> = {};

/** Makes files readable, by their path; the bundler puts a call in front of every test file that names some. */
export function inline(files: Readonly<Record<string, string>>): void {
  Object.assign(inlined, files);
}

function pathOf(path: string | URL): string {
  return typeof path === 'string' ? path : decodeURIComponent(path.pathname);
}

export const fs = {
  existsSync: (path: string | URL): boolean => {
    const wanted = pathOf(path);
    return Object.keys(inlined).some((known) => known === wanted || known.startsWith(`${wanted}/`));
  },
  readFileSync: (path: string | URL): string => {
    const text = inlined[pathOf(path)];
    if (text === undefined)
      throw new Error(`${pathOf(path)} is not in the bundle: name it by new URL('…', import.meta.url)`);
    return text;
  },
  readdirSync: (path: string): string[] =>
    Object.keys(inlined)
      .filter((known) => known.startsWith(`${path}/`))
      .map((known) => known.slice(path.length + 1)),
};

export const path = {
  join: (...parts: string[]): string => parts.join('/').replace(/\/+/g, '/'),
};

export const url = {
  fileURLToPath: pathOf,
};
