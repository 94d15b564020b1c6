import { Readable } from 'node:stream';
import fastify, { type FastifyInstance } from 'fastify';
import { type BroadcastReceiver, type CancellationToken, isCancellationOf } from 'quiesce';
import { HttpDrain } from 'quiesce/node';
import { Database } from './database.ts';
import { type Done, Jobs } from './jobs.ts';
import type { Settings } from './settings.ts';
import { traceAccepted } from './trace.ts';

/** The parts of the service. They neither listen nor end without a call. */
export interface Service {
  readonly app: FastifyInstance;
  readonly http: HttpDrain;
  readonly jobs: Jobs;
  readonly database: Database;
}

interface Body {
  readonly note: string;
  readonly takes: number;
  readonly ignoresToken: boolean;
}

const body = {
  type: 'object',
  required: ['note'],
  properties: {
    note: { type: 'string', maxLength: 65_536 },
    takes: { type: 'integer', minimum: 0, default: 15 },
    ignoresToken: { type: 'boolean', default: false },
  },
};

/** Builds the service: `POST /jobs` accepts a job, `GET /events` streams finished jobs, `GET /ready` reports readiness. */
export function buildService(settings: Settings): Service {
  const app = fastify({ bodyLimit: 2 ** 20 });
  // Node's default limits the time of a request, which may wait for room without a limit here.
  app.server.requestTimeout = 0;
  // Clients as busy as the load of the demo may need more than a second before they send or read.
  const http = new HttpDrain(app, { idleGrace: 5_000 });
  const database = new Database(settings);
  const jobs = new Jobs(database, http.draining, settings);
  traceAccepted(app.server);

  app.post<{ Body: Body }>('/jobs', {
    schema: { body },
    // When the head has arrived, and not the body: the request counts as received from then on.
    onRequest: async (_, reply) => {
      const guard = jobs.expect();
      reply.raw.once('close', () => guard.dispose());
    },
    handler: async (request, reply) => {
      const { note, takes, ignoresToken } = request.body;
      const token = http.tokenOf(request.raw);
      try {
        const id = await jobs.accept({ note, takes, ignoresToken }, token);
        return reply.code(202).send({ id });
      } catch (error) {
        if (!isCancellationOf(error, token)) throw error;
        // The deadline came before there was room: the job was not accepted, and may be sent again.
        return reply.code(503).header('retry-after', 1).send({ error: 'This server is stopping' });
      }
    },
  });
  app.get('/events', (request, reply) => {
    const events = Readable.from(written(jobs.events(), http.tokenOf(request.raw)));
    // The connection ends with the response, so that the client reconnects to another server at once.
    return reply.type('text/event-stream').header('connection', 'close').send(events);
  });
  app.get('/ready', (request, reply) => {
    reply.hijack();
    http.readiness(request.raw, reply.raw);
  });
  return { app, http, jobs, database };
}

/** Yields events as text, until the last one, or until the client has disconnected. */
async function* written(events: BroadcastReceiver<Done>, gone: CancellationToken): AsyncGenerator<string> {
  yield 'event: hello\ndata:\n\n';
  let missed = 0;
  const onLag = (count: number): void => {
    missed += count;
  };
  const leave = gone.onCancelled(() => events.dispose());
  try {
    for await (const done of events.values({ onLag })) {
      if (missed > 0) yield `event: missed\ndata: ${missed}\n\n`;
      missed = 0;
      yield `event: done\ndata: ${JSON.stringify(done)}\n\n`;
    }
    if (!gone.isCancelled) yield 'event: end\ndata:\n\n';
  } finally {
    leave.dispose();
    events.dispose();
  }
}
