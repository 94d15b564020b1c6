import { pathToFileURL } from 'node:url';
import type { WorkerLike } from '@quiesce/worker-pool/web';
import { fixture } from './vocabulary.ts';

type WorkerClass = new (url: string | URL, options?: { type: 'module' }) => WorkerLike;

/** Starts a worker that runs `fixtures/web-tasks.ts`: a Web Worker, or in Node a worker thread. */
export async function startWorker(): Promise<WorkerLike> {
  const { Worker, WorkerGlobalScope, document } = globalThis as {
    Worker?: WorkerClass;
    WorkerGlobalScope?: unknown;
    document?: unknown;
  };
  // Vite compiles the file for a browser, and its server sends it.
  const isBrowser = Worker !== undefined && !('Deno' in globalThis) && (WorkerGlobalScope ?? document) !== undefined;
  if (isBrowser)
    return new Worker(new URL('/packages/worker-pool/test/fixtures/web-tasks.ts', origin), { type: 'module' });
  return await start(pathToFileURL(fixture('web-tasks')));
}

/** Starts a worker from a file that does not exist. */
export function startMissing(): Promise<WorkerLike> {
  return start(new URL('/no-such-file.mjs', 'location' in globalThis ? origin : import.meta.url));
}

async function start(url: URL): Promise<WorkerLike> {
  const { Worker } = globalThis as { Worker?: WorkerClass };
  if (Worker !== undefined) return new Worker(url, { type: 'module' });
  const threads = await import('node:worker_threads');
  return new threads.Worker(url);
}
