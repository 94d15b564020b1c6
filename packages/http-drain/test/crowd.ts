import { Worker } from 'node:worker_threads';
import { onTestFinished } from 'vitest';

/** Connects in another thread, so that this thread can be blocked: it accepts no connection then. */
const client = `
  const { connect } = require('node:net');
  const { parentPort, workerData } = require('node:worker_threads');
  const { port, size, connected } = workerData;
  let left = size;
  const answers = [];
  const end = (how) => {
    answers.push(how);
    if (answers.length === size) parentPort.postMessage(answers);
  };
  for (let i = 0; i < size; i++) {
    let text = '';
    const socket = connect(port, '127.0.0.1', () => {
      socket.write('GET / HTTP/1.1\\r\\nHost: test\\r\\n\\r\\n');
      if (--left > 0) return;
      Atomics.store(connected, 0, 1);
      Atomics.notify(connected, 0);
    });
    socket.on('data', (chunk) => (text += chunk));
    socket.once('end', () => end(text.split('\\r\\n')[0]));
    socket.once('error', ({ code }) => end(code));
  }
`;

/** Fills the system's backlog with clients that are connected and not accepted when it returns. Each sends a request. */
export async function crowd(port: number, size: number): Promise<{ readonly answers: Promise<string[]> }> {
  const connected = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(client, { eval: true, workerData: { port, size, connected } });
  onTestFinished(async () => void (await worker.terminate()));
  const answers = new Promise<string[]>((resolve, reject) => {
    worker.once('message', resolve).once('error', reject);
  });
  await new Promise((resolve) => worker.once('online', resolve));
  Atomics.wait(connected, 0, 0);
  return { answers };
}

/** Counts equal values. */
export function tallyOf(answers: readonly string[]): Record<string, number> {
  const tally: Record<string, number> = {};
  for (const answer of answers) tally[answer] = (tally[answer] ?? 0) + 1;
  return tally;
}
