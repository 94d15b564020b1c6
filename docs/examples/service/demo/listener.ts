import { get, type IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';

/** Somebody who listens to the events of the service. */
export interface Listener {
  /** The ids of the jobs that it heard of, as often as it did. */
  readonly heard: string[];
  /** How many it was told that it had missed, being slow. */
  missed: number;
  /** Whether it was told that there are no more, and the answer came to its end after that. */
  hasHeardEnd: boolean;
  /** Settles when the connection is over, in whatever way. */
  ended: Promise<void>;
}

/** Begins to listen; gives the listener once the service has said hello. */
export async function startListener(url: string): Promise<Listener> {
  const response = await open(url);
  // A connection that breaks off says so here too; `ended` is what counts.
  const lines = createInterface({ input: response }).on('error', () => {});
  const listener: Listener = { heard: [], missed: 0, hasHeardEnd: false, ended: over(response) };
  let event = '';
  let greeted: () => void = () => {};
  const hello = new Promise<void>((resolve) => {
    greeted = resolve;
  });
  // Of one that is cut off behind its last event Node does not say "end".
  response.once('end', () => {
    listener.hasHeardEnd = event === 'end';
  });
  lines.on('line', (line) => {
    if (line.startsWith('event: ')) event = line.slice('event: '.length);
    else if (!line.startsWith('data:')) return;
    else if (event === 'hello') greeted();
    else if (event === 'done') listener.heard.push((JSON.parse(line.slice('data:'.length)) as { id: string }).id);
    else if (event === 'missed') listener.missed += Number(line.slice('data:'.length));
  });
  await Promise.race([hello, listener.ended]);
  return listener;
}

/** A client that begins to listen, and then never reads. */
export async function startIdler(url: string): Promise<{ readonly ended: Promise<void>; leave(): void }> {
  const response = await open(url);
  response.pause();
  return { ended: over(response), leave: () => response.destroy() };
}

function open(url: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get(`${url}/events`, { agent: false }, resolve).once('error', reject);
  });
}

function over(response: IncomingMessage): Promise<void> {
  // A connection that is cut says so by an error, and `close` comes in any case.
  response.on('error', () => {});
  return new Promise((resolve) => response.once('close', resolve));
}
