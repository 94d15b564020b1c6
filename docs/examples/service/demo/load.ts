import autocannon from 'autocannon';

/** The load on the service, and the answers to it. */
export interface Load {
  /** The ids of the jobs that were acknowledged. */
  readonly acknowledged: readonly string[];
  /** The number of answers with each status. */
  readonly statuses: ReadonlyMap<number, number>;
  /** Settles when this many jobs are acknowledged. */
  reaches(count: number): Promise<void>;
  /** Settles when the last client has given up. A client continues until the system refuses its connection. */
  readonly ended: Promise<unknown>;
}

/** The members of autocannon's client that its types omit. */
interface Client {
  on(event: 'connError', listener: (error: NodeJS.ErrnoException) => void): unknown;
  destroy(): void;
}

const AN_HOUR = 3_600;

/** Returns the id in an answer. An answer without one is returned whole, and is not found in the database then. */
function idIn(body: string): string {
  try {
    return String((JSON.parse(body) as { id: unknown }).id);
  } catch {
    return body;
  }
}

/** Sends jobs over a number of connections. Each connection sends its next job with the answer to the previous one. */
export function startLoad(url: string, connections: number, note: string): Load {
  const acknowledged: string[] = [];
  const statuses = new Map<number, number>();
  /** The waiters for a count. */
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
