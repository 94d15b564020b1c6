// A hub of plain messages: it sends each line to every process that is connected at that moment, and keeps nothing.
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
  lines.on('error', () => {}); // it repeats the errors of the socket
  lines.on('line', (line) => {
    for (const one of sockets) one.write(`${line}\n`);
  });
});
process.on('disconnect', () => process.exit(1));
server.listen(Number(process.argv[2]), '127.0.0.1', () => process.send?.('ready'));
