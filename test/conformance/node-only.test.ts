// An entry for Node only throws a helpful error when it is imported elsewhere, before it does anything else.
import { describe, expect, test } from 'vitest';

const host = (globalThis as { process?: { getBuiltinModule?: (id: string) => unknown } }).process;
const builtin = (id: string): Record<string, { prototype: unknown }> | undefined =>
  host?.getBuiltinModule?.(id) as Record<string, { prototype: unknown }> | undefined;

const hasThreads = builtin('node:worker_threads') !== undefined;
const Socket = builtin('node:net')?.['Server'] as (new () => object) | undefined;
const descends = Socket !== undefined && builtin('node:http')?.['Server']?.prototype instanceof Socket;
const hasServers = descends && !('Deno' in globalThis);

const entries = [
  {
    name: '@quiesce/shutdown',
    load: () => import('@quiesce/shutdown'),
    exported: 'Shutdown',
    loads: hasThreads,
    says: /^@quiesce\/shutdown is about processes and their signals: it needs Node 20\.19 or later, or a runtime with process\.getBuiltinModule/,
  },
  {
    name: '@quiesce/http-drain',
    load: () => import('@quiesce/http-drain'),
    exported: 'HttpDrain',
    loads: hasServers,
    says: /^@quiesce\/http-drain drains the HTTP servers of Node and cannot be loaded elsewhere: it needs Node 20\.19 or later, and here/,
  },
  {
    name: '@quiesce/worker-pool/node',
    load: () => import('@quiesce/worker-pool/node'),
    exported: 'receiveToken',
    // A message arrives there later than it was posted.
    loads: hasThreads && !('Deno' in globalThis),
    says: /^@quiesce\/worker-pool\/node uses worker threads .* it needs Node 20\.19 or later, or a runtime whose receiveMessageOnPort/,
  },
  {
    name: 'quiesce/node',
    load: () => import('quiesce/node'),
    exported: 'Shutdown',
    loads: hasThreads && hasServers,
    says: /^@quiesce\/(shutdown|http-drain|worker-pool\/node) /,
  },
  {
    name: '@quiesce/effect/node',
    load: () => import('@quiesce/effect/node'),
    exported: 'launch',
    loads: hasThreads,
    says: /^@quiesce\/shutdown is about processes and their signals/,
  },
  ...[
    { name: '@quiesce/adapters/express', load: () => import('@quiesce/adapters/express'), exported: 'expressDrain' },
    { name: '@quiesce/adapters/fastify', load: () => import('@quiesce/adapters/fastify'), exported: 'fastifyDrain' },
    { name: '@quiesce/adapters/hono', load: () => import('@quiesce/adapters/hono'), exported: 'honoDrain' },
    { name: '@quiesce/adapters/koa', load: () => import('@quiesce/adapters/koa'), exported: 'koaDrain' },
  ].map((entry) => ({ ...entry, loads: hasServers, says: /^@quiesce\/http-drain drains the HTTP servers of Node/ })),
  {
    name: '@quiesce/adapters/nest',
    load: () => import('@quiesce/adapters/nest'),
    exported: 'nestDrain',
    loads: hasThreads && hasServers,
    // Nest is loaded first, and does not run there either.
    says: /./,
  },
  {
    name: '@quiesce/adapters/opentelemetry',
    load: () => import('@quiesce/adapters/opentelemetry'),
    exported: 'traceShutdown',
    loads: hasThreads,
    says: /^@quiesce\/shutdown is about processes and their signals/,
  },
  // These use only the instance that they are given, and load everywhere.
  ...[
    { name: '@quiesce/adapters/bullmq', load: () => import('@quiesce/adapters/bullmq'), exported: 'drainableWorker' },
    {
      name: '@quiesce/adapters/kafkajs',
      load: () => import('@quiesce/adapters/kafkajs'),
      exported: 'drainableConsumer',
    },
    { name: '@quiesce/adapters/pg', load: () => import('@quiesce/adapters/pg'), exported: 'CancellablePool' },
    { name: '@quiesce/adapters/pg-boss', load: () => import('@quiesce/adapters/pg-boss'), exported: 'drainableQueue' },
    {
      name: '@quiesce/adapters/socket.io',
      load: () => import('@quiesce/adapters/socket.io'),
      exported: 'drainableSocketIo',
    },
    { name: '@quiesce/adapters/undici', load: () => import('@quiesce/adapters/undici'), exported: 'requestWith' },
    { name: '@quiesce/adapters/ws', load: () => import('@quiesce/adapters/ws'), exported: 'drainableWebSockets' },
  ].map((entry) => ({ ...entry, loads: true, says: /./ })),
];

describe.each(entries)('$name', ({ load, exported, loads, says }) => {
  test('can be imported where it can work, and elsewhere names its requirements in an error', async () => {
    const outcome = await load().then(Object.keys, (error: unknown) => (error as Error).message);
    if (loads) expect(outcome).toContain(exported);
    else expect(outcome).toMatch(says);
  });
});
