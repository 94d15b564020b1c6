// Test files that some runtimes do not run, each with the reason. Their tests count as skipped.

interface Exclusion {
  /** The ids of the runtimes. */
  on: readonly string[];
  /** Matches paths from the root of the clone, with slashes. */
  files: RegExp;
  why: string;
}

const exclusions: readonly Exclusion[] = [
  {
    on: ['bun', 'deno', 'workerd', 'page', 'worker'],
    files: /^packages\/testing\/test\/(?!runtime\.test)|\/explored[^/]*\.test\.ts$/,
    why: 'the explorer needs the promise hooks of V8, which Node alone has',
  },
  {
    on: ['deno', 'workerd', 'page', 'worker'],
    files: /^packages\/(?:adapters|fleet)\/test\/.*(?:\.slow|\/postgres-[\w-]+)\.test\.ts$/,
    why: 'clients of databases and queues are made for Node and Bun, and their servers are child processes',
  },
];

/** Returns why a runtime does not run a file, or `undefined` when it runs the file. */
export function whyExcluded(id: string, file: string): string | undefined {
  return exclusions.find(({ on, files }) => on.includes(id) && files.test(file))?.why;
}
