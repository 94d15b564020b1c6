// The same program with Nest alone.
import 'reflect-metadata';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type BeforeApplicationShutdown,
  Body,
  Controller,
  createParamDecorator,
  type ExecutionContext,
  Get,
  HttpException,
  Inject,
  Module,
  Post,
  ServiceUnavailableException,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NextFunction, Request, Response } from 'express';
import { limits, type Order, Shop } from './shop.ts';

const deadline = new AbortController();
let isStopping = false;

/** The signal of a request: aborted when the client has gone, and at the deadline. Nest answers with its reason. */
const InjectSignal = createParamDecorator((_: unknown, context: ExecutionContext) => {
  const gone = new AbortController();
  const response = context.switchToHttp().getResponse<Response>();
  response.once('close', () => gone.abort(new HttpException('The client has gone', 499)));
  return AbortSignal.any([gone.signal, deadline.signal]);
});

@Controller('orders')
class OrdersController {
  @Inject(Shop) private readonly shop!: Shop;

  @Post()
  async create(@Body() order: Order, @InjectSignal() signal: AbortSignal) {
    await this.shop.store(order, signal);
  }
}

@Controller()
class HealthController {
  @Get('live')
  live() {
    return 'live';
  }

  @Get('ready')
  ready() {
    if (isStopping) throw new ServiceUnavailableException();
    return 'ready';
  }
}

@Module({ controllers: [OrdersController, HealthController], providers: [Shop] })
class AppModule implements BeforeApplicationShutdown {
  // Nest closes the server after this hook.
  async beforeApplicationShutdown() {
    isStopping = true;
    await delay(limits.readinessDelay);
    setTimeout(() => deadline.abort(new ServiceUnavailableException()), limits.drainTimeout).unref();
    setTimeout(() => process.exit(1), limits.drainTimeout + 2_000).unref();
    // Connections of requests that came before the signal: Node keeps each for five seconds after its response.
    setInterval(() => app.getHttpServer().closeIdleConnections(), 100).unref();
  }
}

const app = await NestFactory.create(AppModule, { logger: ['warn', 'error'] });
app.use((_request: Request, response: Response, next: NextFunction) => {
  if (isStopping) response.set('Connection', 'close');
  next();
});
app.enableShutdownHooks([], { useProcessExit: true });
await app.listen(Number(process.env['PORT'] ?? 0), '127.0.0.1');
console.log('listening on', await app.getUrl());
