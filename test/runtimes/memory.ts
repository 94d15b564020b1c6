// What came of each bundle the last time, so that `--changed` runs only what is new or had failed.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from '../package/packages.ts';
import type { Outcome } from './inside/main.ts';

interface Remembered {
  /** Of the runtime's version and the bundle. */
  hash: string;
  outcome: Outcome;
}

/** The outcomes of one runtime, by test file. */
export class Memory {
  readonly #path: string;
  readonly #version: string;
  readonly #known: Record<string, Remembered>;

  constructor(id: string, version: string) {
    this.#path = join(root, `test/.output/runtimes/${id}.memory.json`);
    this.#version = version;
    this.#known = existsSync(this.#path) ? JSON.parse(readFileSync(this.#path, 'utf8')) : {};
  }

  #hash(bundle: string): string {
    return createHash('sha256').update(this.#version).update(readFileSync(bundle)).digest('hex');
  }

  recall(file: string, bundle: string): Outcome | undefined {
    const found = this.#known[file];
    return found?.hash === this.#hash(bundle) ? found.outcome : undefined;
  }

  keep(file: string, bundle: string, outcome: Outcome): void {
    this.#known[file] = { hash: this.#hash(bundle), outcome };
    mkdirSync(dirname(this.#path), { recursive: true });
    writeFileSync(this.#path, JSON.stringify(this.#known));
  }
}
