// The same jobs without a fleet: each cancel is a message that is published once, as with Redis pub/sub or NOTIFY. A worker opens
// a lost connection again.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { CancellationToken } from '@quiesce/cancellation-token';
import { work } from './jobs.ts';
import { now, type Order, report, type Setup } from './protocol.ts';

const { node, url } = JSON.parse(process.argv[2] as string) as Setup;
const { hostname, port } = new URL(url);
const running = new Map<string, CancellationToken>();
let hub: Socket | undefined;

async function subscribe(): Promise<void> {
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  socket.once('close', () => {
    hub = undefined;
    setTimeout(() => void subscribe(), 50);
  });
  await once(socket, 'connect').catch(() => {});
  if (socket.destroyed) return;
  hub = socket;
  const lines = createInterface({ input: socket });
  lines.on('error', () => {}); // the socket reports the same errors
  lines.on('line', (key) => {
    for (const [of, token] of running) {
      if (of === key || of.startsWith(`${key}/`)) token.cancel('stopped by user');
    }
  });
}

async function run(key: string): Promise<void> {
  const token = new CancellationToken();
  running.set(key, token);
  await work(key, token, CancellationToken.never).finally(() => running.delete(key));
}

function cancel({ cancel, key }: Order & { op: 'cancel' }): void {
  hub?.write(`${key}\n`);
  if (hub !== undefined) report({ e: 'sent', cancel, at: now() });
  else report({ e: 'failed', cancel, at: now(), code: 'ECONNREFUSED', text: 'the hub does not answer' });
}

await subscribe();
process.on('message', (order: Order) => {
  if (order.op === 'run') void run(order.key);
  else if (order.op === 'cancel') cancel(order);
});
process.on('disconnect', () => process.exit(1));
report({ e: 'joined', id: node, hints: 'none' });
