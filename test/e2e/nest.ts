// Tests of a service of docs/examples/nest in a process of its own, with real requests and signals.
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, type RequestOptions, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { drive, type Ended } from './shutdown/drive.ts';

/** The database of a service. It keeps an order only if its client waits until it is stored. */
class Database {
  readonly orders: string[] = [];
  /** The output of the service at its end. */
  readonly statistics: unknown[] = [];
  abortedCount = 0;
  /** The requests that wait. `undefined` while nothing holds them. */
  #held: (() => void)[] | undefined;
  readonly #server = createServer(async (incoming, response) => {
    const body = JSON.parse(await text(incoming));
    if (incoming.url === '/statistics') this.statistics.push(body);
    else {
      response.once('close', () => {
        if (!response.writableFinished) this.abortedCount++;
      });
      if (this.#held !== undefined) await new Promise<void>((resolve) => this.#held?.push(resolve));
      if (!response.destroyed) this.orders.push(body.id);
    }
    response.end();
  });

  /** Starts to listen, until the test has finished. Returns the URL. */
  async listen(): Promise<string> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening');
    onTestFinished(() => {
      this.#server.close();
      this.#server.closeAllConnections();
    });
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get heldCount(): number {
    return this.#held?.length ?? 0;
  }

  hold(): void {
    this.#held = [];
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const resume of held) resume();
  }
}

/** Returns once a condition holds. Only a test that hangs takes the whole time. */
async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await delay(5);
}

/** The result of a request: its status, or the code of the error. */
type Answer = number | string;

/** Sends an order. */
async function sendOrder(url: string, id: string, options: RequestOptions = {}): Promise<Answer> {
  const headers = { 'Content-Type': 'application/json' };
  const sent = request(`${url}/orders`, { method: 'POST', headers, ...options });
  sent.end(JSON.stringify({ id }));
  try {
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    await text(response);
    return response.statusCode ?? 0;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

/** Sends five orders, and waits until the database holds all of them. */
async function sendHeld(url: string, database: Database): Promise<readonly Promise<Answer>[]> {
  database.hold();
  const answers = Array.from({ length: 5 }, (_, index) => sendOrder(url, `held ${index}`));
  await until(() => database.heldCount === 5);
  return answers;
}

/** Waits until the service is not ready, or refuses connections. */
async function announced(url: string): Promise<void> {
  const isReady = async (): Promise<boolean> => (await fetch(`${url}/ready`)).ok;
  await until(async () => !(await isReady().catch(() => false)));
}

interface Run<T> extends Ended {
  readonly got: T;
  readonly database: Database;
}

/** Runs a service, and a scenario that makes it end. */
async function run<T>(
  service: string,
  scenario: (url: string, child: ChildProcess, database: Database) => Promise<T>,
  { readinessDelay = 0, drainTimeout = 60_000 } = {},
): Promise<Run<T>> {
  const database = new Database();
  const limits = { READINESS_DELAY: `${readinessDelay}`, DRAIN_TIMEOUT: `${drainTimeout}` };
  const env = { ...limits, DATABASE_URL: await database.listen() };
  // A bug in a callback.
  const bug = 'process.on("SIGUSR2", () => { throw new Error("a bug") })';
  const node = ['--import', `data:text/javascript,${bug}`];
  let got: Promise<T> | undefined;
  const start = (child: ChildProcess, stdout: string): void => {
    got = scenario(/http\S+/.exec(stdout)?.[0] ?? '', child, database);
    got.catch(() => child.kill('SIGKILL'));
  };
  const ended = await drive(`../../../docs/examples/nest/${service}`, [], [['listening on', start]], { env, node });
  return { ...ended, got: await (got as Promise<T>), database };
}

/** Sends orders as a load balancer does: over connections that it keeps, and until the service is not ready. */
async function load(url: string): Promise<{ readonly acknowledged: string[]; readonly lost: Answer[] }> {
  const acknowledged: string[] = [];
  const lost: Answer[] = [];
  let isReady = true;
  const send = async (client: number): Promise<void> => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let n = 0; isReady; n++) {
      const id = `${client}.${n}`;
      const answer = await sendOrder(url, id, { agent });
      if (answer === 201) acknowledged.push(id);
      else lost.push(answer);
    }
    agent.destroy();
  };
  const clients = Array.from({ length: 20 }, (_, client) => send(client));
  await announced(url);
  isReady = false;
  await Promise.all(clients);
  return { acknowledged, lost };
}

const PATIENCE = { timeout: 240_000 };

export function testNest(service: 'service' | 'rival'): void {
  describe(`the ${service} of docs/examples/nest`, PATIENCE, () => {
    it('loses no request under load at SIGTERM, runs its hooks after the last one, and exits with 0', async () => {
      const { got, database, code, stderr } = await run(
        service,
        async (url, child, { orders }) => {
          const loaded = load(url);
          await until(() => orders.length > 200);
          child.kill('SIGTERM');
          return loaded;
        },
        { readinessDelay: 5_000 },
      );
      expect({ lost: got.lost, code, statistics: database.statistics }, stderr).toEqual({
        lost: [],
        code: 0,
        statistics: [{ soldCount: database.orders.length }],
      });
      expect(database.orders.sort()).toEqual(got.acknowledged.sort());
    });

    it('aborts its own request when its client has gone', async () => {
      const { got, code, stderr } = await run(service, async (url, child, database) => {
        database.hold();
        const client = new AbortController();
        const answer = sendOrder(url, 'gone', { signal: client.signal });
        await until(() => database.heldCount === 1);
        client.abort();
        await until(() => database.abortedCount === 1);
        child.kill('SIGTERM');
        return answer;
      });
      expect({ got, code }, stderr).toEqual({ got: 'ABORT_ERR', code: 0 });
    });

    it('answers with 503 at the deadline, and exits', async () => {
      const { got, database, code, stderr } = await run(
        service,
        async (url, child, database) => {
          const answers = await sendHeld(url, database);
          child.kill('SIGTERM');
          return Promise.all(answers);
        },
        { drainTimeout: 100 },
      );
      expect({ got, aborted: database.abortedCount, orders: database.orders }, stderr).toEqual({
        got: Array(5).fill(503),
        aborted: 5,
        orders: [],
      });
      // Nest alone does not tell that requests were cut off.
      expect(code).toBe(service === 'service' ? 1 : 0);
    });

    it(`${service === 'service' ? 'serves' : 'cuts off'} the requests in progress after a bug in a callback`, async () => {
      const { got, database, code, stderr } = await run(service, async (url, child, database) => {
        const answers = await sendHeld(url, database);
        child.kill('SIGUSR2');
        await Promise.race([announced(url), once(child, 'exit')]);
        database.release();
        return Promise.all(answers);
      });
      expect(stderr).toContain('a bug');
      expect({ code, got, statistics: database.statistics }).toEqual(
        service === 'service'
          ? { code: 1, got: Array(5).fill(201), statistics: [{ soldCount: 5 }] }
          : { code: 1, got: Array(5).fill('ECONNRESET'), statistics: [] },
      );
    });

    it(`${service === 'service' ? 'ends' : 'does not end'} at a second SIGTERM`, async () => {
      const { got, code, stderr } = await run(
        service,
        async (url, child, database) => {
          const answers = await sendHeld(url, database);
          child.kill('SIGTERM');
          await announced(url);
          await delay(500); // longer than the time in which two signals count as one
          child.kill('SIGTERM');
          return Promise.all(answers);
        },
        // Long enough for the second signal. Nest alone ignores it, so that its test takes all of the time.
        { drainTimeout: service === 'service' ? 60_000 : 2_000 },
      );
      expect({ got, code }, stderr).toEqual({ got: Array(5).fill(503), code: service === 'service' ? 143 : 0 });
    });
  });
}
