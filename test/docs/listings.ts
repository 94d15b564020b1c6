import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../../docs/examples/guide/', import.meta.url));

/** Returns the names of the ported listings of the guide: their file names without the extension. */
export function listings(): string[] {
  const names = readdirSync(folder).filter((file) => file.endsWith('.ts'));
  // Not a listing: the jobs of the threads of one.
  return names.map((file) => file.slice(0, -3)).filter((name) => name !== 'thread-pool-jobs');
}

/** Returns the path of a listing. */
export function fileOf(name: string): string {
  return `${folder}${name}.ts`;
}

export function textOf(name: string): string {
  return readFileSync(fileOf(name), 'utf8');
}

/** Returns the lines of the comment at the end of a listing that shows its output. */
export function outputOf(name: string): string[] {
  const [, block] = /^\/\/ Output[^\n]*:\n((?:\/\/ {3}.*\n)+)$(?![\s\S])/m.exec(textOf(name)) ?? [];
  if (block === undefined) throw new Error(`${name} does not end with what it prints`);
  return block
    .trimEnd()
    .split('\n')
    .map((line) => line.slice('//   '.length));
}
