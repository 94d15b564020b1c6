// A hub of plain messages: it sends each line to every connected process, and stores nothing.
//
//   node hub.ts PORT
import { createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

const sockets = new Set<Socket>();
const server = createServer((socket) => {
  sockets.add(socket);
  socket.on('error', () => {});
  socket.on('close', () => sockets.delete(socket));
  const lines = createInterface({ input: socket });
  lines.on('error', () => {}); // the socket reports the same errors
  lines.on('line', (line) => {
    for (const one of sockets) one.write(`${line}\n`);
  });
});
process.on('disconnect', () => process.exit(1));
server.listen(Number(process.argv[2]), '127.0.0.1', () => process.send?.('ready'));
