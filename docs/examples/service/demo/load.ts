import autocannon from 'autocannon';

/** The load on the service, and what it was answered. */
export interface Load {
  /** The ids of the jobs that were acknowledged. */
  readonly acknowledged: readonly string[];
  /** How many answers there were of each status. */
  readonly statuses: ReadonlyMap<number, number>;
  /** Settles when so many jobs were acknowledged. */
  reaches(count: number): Promise<void>;
  /** Settles when the last client has given up: a client goes on, whatever happens, until the system refuses it. */
  readonly ended: Promise<unknown>;
}

/** What is in autocannon's client and not in its types. */
interface Client {
  on(event: 'connError', listener: (error: NodeJS.ErrnoException) => void): unknown;
  destroy(): void;
}

const AN_HOUR = 3_600;

/** The id that a client was given; of an answer that makes no sense all of it, which will not be found in the database. */
function idIn(body: string): string {
  try {
    return String((JSON.parse(body) as { id: unknown }).id);
  } catch {
    return body;
  }
}

/** Sends jobs over so many connections, on each the next one with the answer to the last. */
export function startLoad(url: string, connections: number, note: string): Load {
  const acknowledged: string[] = [];
  const statuses = new Map<number, number>();
  /** Who waits for which count. */
  const waiting = new Map<number, () => void>();
  const onResponse = (status: number, body: string): void => {
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    if (status !== 202) return;
    acknowledged.push(idIn(body));
    waiting.get(acknowledged.length)?.();
  };
  const setupClient = (given: unknown): void => {
    const client = given as Client;
    client.on('connError', ({ code }) => {
      if (code === 'ECONNREFUSED') client.destroy();
    });
  };
  const headers = { 'content-type': 'application/json' };
  const run = autocannon({
    url,
    connections,
    duration: AN_HOUR,
    timeout: AN_HOUR,
    sampleInt: 100,
    setupClient,
    requests: [{ method: 'POST', path: '/jobs', headers, body: JSON.stringify({ note }), onResponse }],
  });
  const reaches = (count: number): Promise<void> =>
    new Promise((resolve) => {
      if (acknowledged.length >= count) resolve();
      else waiting.set(count, resolve);
    });
  return { acknowledged, statuses, reaches, ended: Promise.resolve(run) };
}
