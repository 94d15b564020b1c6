import { Readable } from 'node:stream';
import type { BroadcastReceiver } from '@quiesce/broadcast-channel';
import { type CancellationToken, isCancellationOf } from '@quiesce/cancellation-token';
import { drain, type HttpDrain } from '@quiesce/http-drain';
import fastify, { type FastifyInstance } from 'fastify';
import { Database } from './database.ts';
import { type Done, Jobs } from './jobs.ts';
import type { Settings } from './settings.ts';
import { traceAccepted } from './trace.ts';

/** The parts of the service. Made, they do nothing by themselves: neither listen, nor end. */
export interface Service {
  readonly app: FastifyInstance;
  readonly http: HttpDrain;
  readonly jobs: Jobs;
  readonly database: Database;
}

interface Body {
  readonly note: string;
  readonly takes: number;
  readonly deaf: boolean;
}

const body = {
  type: 'object',
  required: ['note'],
  properties: {
    note: { type: 'string', maxLength: 65_536 },
    takes: { type: 'integer', minimum: 0, default: 15 },
    deaf: { type: 'boolean', default: false },
  },
};

/** Puts the service together. `POST /jobs` takes a job, `GET /events` tells of those that are done, `GET /ready`. */
export function buildService(settings: Settings): Service {
  const app = fastify({ bodyLimit: 2 ** 20 });
  // Node's own limits are for strangers: a request may wait here for room as long as it takes.
  app.server.requestTimeout = 0;
  // Clients that are as busy as the load of the demo may need more than a second until they send or read.
  const http = drain(app, { idleGrace: 5_000 });
  const database = new Database(settings);
  const jobs = new Jobs(database, http.draining, settings);
  traceAccepted(app.server);

  app.post<{ Body: Body }>('/jobs', {
    schema: { body },
    // When its head is here, and not when its body is: from then on it has been received.
    onRequest: async (_, reply) => {
      const guard = jobs.expect();
      reply.raw.once('close', () => guard.dispose());
    },
    handler: async (request, reply) => {
      const { note, takes, deaf } = request.body;
      const token = http.tokenOf(request.raw);
      try {
        const id = await jobs.accept({ note, takes, isDeaf: deaf }, token);
        return reply.code(202).send({ id });
      } catch (error) {
        if (!isCancellationOf(error, token)) throw error;
        // The deadline came before there was room: it is not ours, and may be sent again.
        return reply.code(503).header('retry-after', 1).send({ error: 'This server is stopping' });
      }
    },
  });
  app.get('/events', (request, reply) => {
    const events = Readable.from(written(jobs.events(), http.tokenOf(request.raw)));
    // Its connection ends with it, so that the client comes back elsewhere at once.
    return reply.type('text/event-stream').header('connection', 'close').send(events);
  });
  app.get('/ready', (request, reply) => {
    reply.hijack();
    http.readiness(request.raw, reply.raw);
  });
  return { app, http, jobs, database };
}

/** Events as text, until there are no more, or the client has gone. */
async function* written(events: BroadcastReceiver<Done>, gone: CancellationToken): AsyncGenerator<string> {
  yield 'event: hello\ndata:\n\n';
  let missed = 0;
  const onLag = (count: number): void => {
    missed += count;
  };
  const leave = gone.onCancelled(() => events.close());
  try {
    for await (const done of events.values({ onLag })) {
      if (missed > 0) yield `event: missed\ndata: ${missed}\n\n`;
      missed = 0;
      yield `event: done\ndata: ${JSON.stringify(done)}\n\n`;
    }
    if (!gone.isCancelled) yield 'event: end\ndata:\n\n';
  } finally {
    leave.unregister();
    events.close();
  }
}
