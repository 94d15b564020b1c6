// A user's program, compiled against the installed tarball and run with it. It throws on a wrong result.
import { createServer } from 'node:http';
import { CancellationToken } from '@quiesce/cancellation-token';
import { HttpDrain, type HttpDrainOptions } from '@quiesce/http-drain';

async function main(): Promise<void> {
  const options: HttpDrainOptions = {
    refuse: (request, response) => response.end(request.url),
    upgraded: (socket) => socket.end(),
  };
  const server = createServer((request, response) => {
    response.end(http.tokenOf(request).isCancelled ? 'cancelled' : 'fine');
  });
  const http: HttpDrain = new HttpDrain(server, options);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const answer = await (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })).text();
  await http.drain(CancellationToken.timeout(10_000));
  if (answer !== 'fine' || http.state !== 'drained')
    throw new Error(`the answer was ${answer}, the state ${http.state}`);
}

void main();
