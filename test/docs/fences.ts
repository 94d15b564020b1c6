import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** One example of the documentation. */
export interface Fence {
  /** Where it stands, for people: `packages/select/src/sleep.ts:93`. */
  readonly place: string;
  /** The page or source that it stands in. */
  readonly page: string;
  readonly kind: 'ts' | 'tsx' | 'console';
  /** A program of its own, by what its first line says (`// copy.ts`); `undefined`: a piece of one. */
  readonly file: string | undefined;
  readonly code: string;
  /** What its `// =>` comments promise, in order. */
  readonly promised: readonly string[];
}

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Every `ts`, `tsx` and `console` fence in the docstrings and READMEs of the packages, and in the README. */
export function packageFences(): Fence[] {
  const sources = filesIn('packages').filter((file) => /^packages\/[^/]+\/(src\/.*\.ts|README\.md)$/.test(file));
  return [...sources, 'README.md'].sort().flatMap((file) => fencesOf(file));
}

/** The same of the pages below `docs`. */
export function pageFences(): Fence[] {
  return pages().flatMap((file) => fencesOf(file));
}

/** All of them. */
export function allFences(): Fence[] {
  return [...packageFences(), ...pageFences()];
}

/** The Markdown below `docs`, as paths from the root. */
export function pages(): string[] {
  return filesIn('docs')
    .filter((file) => file.endsWith('.md'))
    .sort();
}

/** The text of a file, by its path from the root. */
export function textOf(file: string): string {
  return readFileSync(`${root}${file}`, 'utf8');
}

function filesIn(folder: string): string[] {
  return readdirSync(`${root}${folder}`, { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return /^(node_modules|\..*|dist)$/.test(entry.name) ? [] : filesIn(path);
    return [path];
  });
}

function fencesOf(file: string): Fence[] {
  const text = textOf(file);
  const fences: Fence[] = [];
  // In a docstring every line of the fence stands behind " * ".
  for (const match of text.matchAll(/^([ \t]*(?:\* )?)```(tsx?|console)\n([\s\S]*?)^[ \t]*(?:\* )?```/gm)) {
    const line = text.slice(0, match.index).split('\n').length;
    const code = (match[3] ?? '').replace(/^[ \t]*\* ?/gm, (lead) => (match[1]?.includes('*') === true ? '' : lead));
    fences.push({
      place: `${file}:${line}`,
      page: file,
      kind: match[2] as Fence['kind'],
      file: /^\/\/ ([\w-]+\.ts)$/m.exec(code.split('\n')[0] ?? '')?.[1],
      code,
      promised: promisedBy(code),
    });
  }
  return fences;
}

function promisedBy(code: string): string[] {
  return [...code.matchAll(/\/\/ => (.*)$/gm)].map((match) => (match[1] ?? '').trim());
}
