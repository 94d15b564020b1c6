import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../../docs/examples/guide/', import.meta.url));

/** The listings of the guide that are ported, by the names of their files. */
export function listings(): string[] {
  const names = readdirSync(folder).filter((file) => file.endsWith('.ts'));
  // Not a listing: what the threads of one of them run.
  return names.map((file) => file.slice(0, -3)).filter((name) => name !== 'thread-pool-jobs');
}

/** Where the file of one stands. */
export function fileOf(name: string): string {
  return `${folder}${name}.ts`;
}

export function textOf(name: string): string {
  return readFileSync(fileOf(name), 'utf8');
}

/** What the comment at the end of one says that it prints, by line. */
export function outputOf(name: string): string[] {
  const [, block] = /^\/\/ Output[^\n]*:\n((?:\/\/ {3}.*\n)+)$(?![\s\S])/m.exec(textOf(name)) ?? [];
  if (block === undefined) throw new Error(`${name} does not end with what it prints`);
  return block
    .trimEnd()
    .split('\n')
    .map((line) => line.slice('//   '.length));
}
