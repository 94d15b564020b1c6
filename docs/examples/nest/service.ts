// Takes orders. On SIGTERM, the requests in progress are served, and then the hooks of Nest write the statistics.
import 'reflect-metadata';
import { Body, Controller, Inject, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { InjectToken, nestDrain } from '@quiesce/adapters/nest';
import type { CancellationToken } from 'quiesce';
import { runMain } from 'quiesce/node';
import { limits, type Order, Shop } from './shop.ts';

@Controller('orders')
class OrdersController {
  @Inject(Shop) private readonly shop!: Shop;

  @Post()
  async create(@Body() order: Order, @InjectToken() token: CancellationToken) {
    await this.shop.store(order, token.signal);
  }
}

@Module({ controllers: [OrdersController], providers: [Shop] })
class AppModule {}

await runMain(
  async (_scope, shutdown) => {
    const app = await NestFactory.create(AppModule, { abortOnError: false, logger: ['warn', 'error'] });
    nestDrain(app, { shutdown });
    await app.listen(Number(process.env['PORT'] ?? 0), '127.0.0.1');
    console.log('listening on', await app.getUrl());
    await shutdown.stopAccepting.cancelled();
  },
  { name: 'shop', ...limits },
);
