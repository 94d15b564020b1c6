import { pathToFileURL } from 'node:url';
import type { WorkerLike } from '@quiesce/worker-pool/web';
import { fixture } from './vocabulary.ts';

type WorkerClass = new (url: string | URL, options?: { type: 'module' }) => WorkerLike;

/** Whether Vite compiles the files of a worker, and its server sends them. */
const isBrowser = globalThis.location?.origin?.startsWith('http') === true;

/** Starts a worker that runs `fixtures/web-tasks.ts`: a Web Worker, or in Node a worker thread. */
export function startWorker(): Promise<WorkerLike> {
  const path = '/packages/worker-pool/test/fixtures/web-tasks.ts';
  return start(isBrowser ? new URL(path, origin) : pathToFileURL(fixture('web-tasks')));
}

/** Starts a worker from a file that does not exist. */
export function startMissing(): Promise<WorkerLike> {
  return start(new URL('/no-such-file.mjs', isBrowser ? origin : import.meta.url));
}

async function start(url: URL): Promise<WorkerLike> {
  const { Worker } = globalThis as { Worker?: WorkerClass };
  if (Worker !== undefined) return new Worker(url, { type: 'module' });
  const threads = await import('node:worker_threads');
  return new threads.Worker(url);
}
