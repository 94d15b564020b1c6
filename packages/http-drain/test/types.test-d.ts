import type { createServer, IncomingMessage, ServerResponse } from 'node:http';
import type { createServer as createHttp2Server, createSecureServer, ServerHttp2Stream } from 'node:http2';
import type { createServer as createHttpsServer } from 'node:https';
import type { Server as NetServer } from 'node:net';
import type { CancellationToken } from '@quiesce/cancellation-token';
import {
  drain,
  type HealthHandler,
  type HttpDrain,
  type HttpDrainReport,
  type HttpDrainState,
} from '@quiesce/http-drain';
import type { Drainable } from '@quiesce/scope';
import type { FastifyInstance } from 'fastify';
import { expectTypeOf } from 'vitest';

// Every kind of server.
expectTypeOf(drain).toBeCallableWith({} as ReturnType<typeof createServer>);
expectTypeOf(drain).toBeCallableWith({} as ReturnType<typeof createHttpsServer>);
expectTypeOf(drain).toBeCallableWith({} as ReturnType<typeof createHttp2Server>);
expectTypeOf(drain).toBeCallableWith({} as ReturnType<typeof createSecureServer>);
expectTypeOf(drain).toBeCallableWith({} as ReturnType<typeof createServer>, { signal: {} as AbortSignal });
expectTypeOf(drain).toBeCallableWith({} as ReturnType<typeof createServer>, { signal: {} as CancellationToken });
expectTypeOf(drain).toBeCallableWith({} as ReturnType<typeof createServer>, { name: undefined, idleGrace: 5 });

// An app with its server, such as Fastify's.
expectTypeOf(drain).toBeCallableWith({} as FastifyInstance);

const http = drain({} as ReturnType<typeof createServer>, {
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
drain({} as NetServer);

// @ts-expect-error Object literal may only specify known properties
drain({} as ReturnType<typeof createServer>, { timeout: 5 });

// @ts-expect-error Cannot assign to 'readiness' because it is a read-only property
http.readiness = () => {};
