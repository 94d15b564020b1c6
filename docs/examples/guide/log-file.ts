// The guide, chapter 7, "RAII Guards": a log file is flushed and closed at the end of its block, even after a failure.
//
// The guide's flush does nothing, because a Rust `File` has no buffer. This log has one, so without the flush it would
// lose entries. A flush must be awaited, so it is in `[Symbol.asyncDispose]`, which `s.use` and `await using` call. The
// original error reaches the caller.

import { type FileHandle, mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { scope } from '@quiesce/scope';

class LogFile implements AsyncDisposable {
  readonly #file: FileHandle;
  #buffer: string[] = [];

  constructor(file: FileHandle) {
    this.#file = file;
  }

  get isClosed(): boolean {
    return this.#file.fd === -1;
  }

  log(message: string): void {
    this.#buffer.push(`${message}\n`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const entries = this.#buffer;
    this.#buffer = [];
    await this.#file.writeFile(entries.join(''));
    await this.#file.sync(); // to the disk, not only to the operating system
    await this.#file.close();
    console.log(`log file closed, ${entries.length} entries written`);
  }
}

const folder = await mkdtemp(join(tmpdir(), 'quiesce-log-'));
const path = join(folder, 'app.log');
const log = new LogFile(await open(path, 'w'));

await scope(async (s) => {
  await s.use(log);
  log.log('application started');
  log.log('processing data');
  console.log(`on the disk so far: ${JSON.stringify(await readFile(path, 'utf8'))}, closed: ${log.isClosed}`);
  throw new Error('unexpected');
}).catch((error) => console.log(`the error arrives: ${error.message}`));

console.log(`on the disk: ${JSON.stringify(await readFile(path, 'utf8'))}, closed: ${log.isClosed}`);
await rm(folder, { recursive: true });

// Output:
//   on the disk so far: "", closed: false
//   log file closed, 2 entries written
//   the error arrives: unexpected
//   on the disk: "application started\nprocessing data\n", closed: true
