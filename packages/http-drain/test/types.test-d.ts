import type { createServer, IncomingMessage, ServerResponse } from 'node:http';
import type { createServer as createHttp2Server, createSecureServer, ServerHttp2Stream } from 'node:http2';
import type { createServer as createHttpsServer } from 'node:https';
import type { Server as NetServer } from 'node:net';
import type { CancellationToken } from '@quiesce/cancellation-token';
import { type HealthHandler, HttpDrain, type HttpDrainReport, type HttpDrainState } from '@quiesce/http-drain';
import type { Drainable } from '@quiesce/scope';
import type { FastifyInstance } from 'fastify';
import { expectTypeOf } from 'vitest';

// Every kind of server.
expectTypeOf(HttpDrain).toBeConstructibleWith({} as ReturnType<typeof createServer>);
expectTypeOf(HttpDrain).toBeConstructibleWith({} as ReturnType<typeof createHttpsServer>);
expectTypeOf(HttpDrain).toBeConstructibleWith({} as ReturnType<typeof createHttp2Server>);
expectTypeOf(HttpDrain).toBeConstructibleWith({} as ReturnType<typeof createSecureServer>);
expectTypeOf(HttpDrain).toBeConstructibleWith({} as ReturnType<typeof createServer>, { signal: {} as AbortSignal });
expectTypeOf(HttpDrain).toBeConstructibleWith({} as ReturnType<typeof createServer>, {
  signal: {} as CancellationToken,
});
expectTypeOf(HttpDrain).toBeConstructibleWith({} as ReturnType<typeof createServer>, { name: undefined, idleGrace: 5 });

// An app with its server, such as Fastify's.
expectTypeOf(HttpDrain).toBeConstructibleWith({} as FastifyInstance);

const http = new HttpDrain({} as ReturnType<typeof createServer>, {
  refuse: (request, response) => {
    expectTypeOf(request).toEqualTypeOf<IncomingMessage>();
    expectTypeOf(response).toExtend<ServerResponse>();
  },
});
expectTypeOf(http).toEqualTypeOf<HttpDrain>();
expectTypeOf(http).toExtend<Drainable>();
expectTypeOf(http.state).toEqualTypeOf<HttpDrainState>();
expectTypeOf(http.report()).toEqualTypeOf<HttpDrainReport>();
expectTypeOf(http.readiness).toEqualTypeOf<HealthHandler>();
expectTypeOf(http.tokenOf).toBeCallableWith({} as IncomingMessage);
expectTypeOf(http.tokenOf).toBeCallableWith({} as ServerHttp2Stream);

expectTypeOf(http.drain).parameter(0).toEqualTypeOf<CancellationToken | AbortSignal>();

// @ts-expect-error is not assignable to parameter of type 'DrainableServer | DrainableApp'
new HttpDrain({} as NetServer);

// @ts-expect-error Value of type 'typeof HttpDrain' is not callable
HttpDrain({} as ReturnType<typeof createServer>);

// @ts-expect-error Object literal may only specify known properties
new HttpDrain({} as ReturnType<typeof createServer>, { timeout: 5 });

// @ts-expect-error Cannot assign to 'readiness' because it is a read-only property
http.readiness = () => {};
