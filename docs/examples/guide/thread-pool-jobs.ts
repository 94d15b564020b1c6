// The jobs of thread-pool.ts: one that ends, and one that only a token ends.

import type { MessagePort } from 'node:worker_threads';
import { threadTask } from '@quiesce/worker-pool/node';

/** Counts the primes below a limit. */
export const countPrimes = threadTask((limit: number) => {
  let count = 0;
  for (let n = 2; n < limit; n++) if (isPrime(n)) count++;
  return count;
});

function isPrime(n: number): boolean {
  for (let d = 2; d * d <= n; d++) if (n % d === 0) return false;
  return true;
}

/** Computes without yielding to the event loop until the flag is set. Returns the reason that it finds. */
export const spin = threadTask((started: MessagePort, token) => {
  started.postMessage('started');
  while (!token.isCancelled) Math.sqrt(2);
  return `saw the flag, and found the reason: ${token.reason}`;
});
