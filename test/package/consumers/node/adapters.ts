// A user's program, compiled against the installed tarball and run with it. It throws on a wrong result.
import { createServer } from 'node:http';
import { expressDrain } from '@quiesce/adapters/express';
import { fastifyDrain } from '@quiesce/adapters/fastify';
import { honoDrain, type TokenEnv } from '@quiesce/adapters/hono';
import { koaDrain } from '@quiesce/adapters/koa';
import { Shutdown } from '@quiesce/shutdown';
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import Koa from 'koa';

async function main(): Promise<void> {
  const shutdown = new Shutdown();
  const app = fastify();
  // biome-ignore lint/nursery/noMisusedPromises: Fastify also takes asynchronous plugins.
  app.register(fastifyDrain, { shutdown });
  app.get('/', async ({ token }) => String(token.isCancelled));

  const drain = expressDrain(createServer(), { shutdown });
  express()
    .use(drain, (req, res) => void res.send(String(req.token.isCancelled)))
    .use(drain.errorHandler);

  const koa = new Koa();
  koa.use(koaDrain(createServer(), { shutdown })).use((ctx) => {
    ctx.body = String(ctx.state.token.isCancelled);
  });

  const hono = new Hono<TokenEnv>();
  hono.use(honoDrain(createServer(), { shutdown })).get('/', (c) => c.text(String(c.var.token.isCancelled)));

  const answers = [(await app.inject('/')).body, await (await hono.request('/')).text()];
  shutdown.request('deploy');
  const { exitCode } = await shutdown.stopped();
  if (answers.join() !== 'false,false' || exitCode !== 0)
    throw new Error(`the answers were ${answers}, the exit code ${exitCode}`);
}

void main();
