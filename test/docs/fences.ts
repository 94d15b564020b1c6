import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** One TypeScript example of the documentation. */
export interface Fence {
  /** Where it stands, for people: `packages/select/src/sleep.ts:93`. */
  readonly place: string;
  readonly code: string;
  /** What its `// =>` comments promise, in order. */
  readonly promised: readonly string[];
}

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Every ```ts fence in the docstrings and in the Markdown of the project. */
export function allFences(): Fence[] {
  const sources = filesIn('packages').filter((file) => /^packages\/[^/]+\/(src\/.*\.ts|README\.md)$/.test(file));
  const pages = filesIn('docs').filter((file) => file.endsWith('.md'));
  return [...sources, ...pages, 'README.md'].sort().flatMap((file) => fencesOf(file));
}

function filesIn(folder: string): string[] {
  return readdirSync(`${root}${folder}`, { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : filesIn(path);
    return [path];
  });
}

function fencesOf(file: string): Fence[] {
  const text = readFileSync(`${root}${file}`, 'utf8');
  const fences: Fence[] = [];
  // In a docstring every line of the fence stands behind " * ".
  for (const match of text.matchAll(/^([ \t]*(?:\* )?)```ts\n([\s\S]*?)^[ \t]*(?:\* )?```/gm)) {
    const line = text.slice(0, match.index).split('\n').length;
    const code = (match[2] ?? '').replace(/^[ \t]*\* ?/gm, (lead) => (match[1]?.includes('*') === true ? '' : lead));
    fences.push({ place: `${file}:${line}`, code, promised: promisedBy(code) });
  }
  return fences;
}

function promisedBy(code: string): string[] {
  return [...code.matchAll(/\/\/ => (.*)$/gm)].map((match) => (match[1] ?? '').trim());
}
