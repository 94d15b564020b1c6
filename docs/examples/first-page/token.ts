// Cancels a tree of work, with a reason.
import { CancellationToken } from '@quiesce/cancellation-token';

const server = new CancellationToken({ name: 'server' });
const request = server.childToken({ name: 'GET /' });
const other = server.childToken({ name: 'GET /about' });

async function answer(token: CancellationToken): Promise<string> {
  for (let row = 1; ; row++) {
    if (token.isCancelled) return `gave up at row ${row}: ${token.reason}`;
    await null; // instead of reading a row
    if (row === 2) request.cancel('the client has gone');
  }
}

console.log(await answer(request)); // => gave up at row 3: the client has gone
console.log(other.isCancelled, server.isCancelled); // => false false

const { signal } = other; // a native AbortSignal, for fetch and other APIs
server.cancel('deploy');
console.log(signal.aborted, signal.reason); // => true deploy
