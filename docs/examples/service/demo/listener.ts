import { get, type IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';

/** A client that listens to the events of the service. */
export interface Listener {
  /** The ids of the received jobs, with duplicates. */
  readonly received: string[];
  /** How many events it missed because it was slow, by the service's count. */
  missed: number;
  /** Whether it received the last event, and the answer was complete after that. */
  hasSeenEnd: boolean;
  /** Settles when the connection has ended, in any way. */
  ended: Promise<void>;
}

/** Starts a listener. Resolves when the first event has arrived. */
export async function startListener(url: string): Promise<Listener> {
  const response = await open(url);
  // A connection that breaks off also emits an error here; `ended` reports it.
  const lines = createInterface({ input: response }).on('error', () => {});
  const listener: Listener = { received: [], missed: 0, hasSeenEnd: false, ended: closed(response) };
  let event = '';
  let onHello: () => void = () => {};
  const hello = new Promise<void>((resolve) => {
    onHello = resolve;
  });
  // Node does not emit `end` for an answer that is cut off after its last event.
  response.once('end', () => {
    listener.hasSeenEnd = event === 'end';
  });
  lines.on('line', (line) => {
    if (line.startsWith('event: ')) event = line.slice('event: '.length);
    else if (!line.startsWith('data:')) return;
    else if (event === 'hello') onHello();
    else if (event === 'done') listener.received.push((JSON.parse(line.slice('data:'.length)) as { id: string }).id);
    else if (event === 'missed') listener.missed += Number(line.slice('data:'.length));
  });
  await Promise.race([hello, listener.ended]);
  return listener;
}

/** Starts a client that connects, and then never reads. */
export async function startIdler(url: string): Promise<{ readonly ended: Promise<void>; leave(): void }> {
  const response = await open(url);
  response.pause();
  return { ended: closed(response), leave: () => response.destroy() };
}

function open(url: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get(`${url}/events`, { agent: false }, resolve).once('error', reject);
  });
}

function closed(response: IncomingMessage): Promise<void> {
  // A connection that is cut emits an error; `close` follows in any case.
  response.on('error', () => {});
  return new Promise((resolve) => response.once('close', resolve));
}
