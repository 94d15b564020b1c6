// A user's program, compiled against the installed tarball and run with it. It throws on a wrong result.
import { type INestApplication, Injectable } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { InjectToken, nestDrain, ShutdownModule } from '@quiesce/adapters/nest';
import { Shutdown } from '@quiesce/shutdown';

class AppModule {}

async function main(): Promise<void> {
  const shutdown = new Shutdown({ name: 'shop' });
  const root = { module: AppModule, imports: [ShutdownModule.forRoot({ shutdown })] };
  const app = await NestFactory.createApplicationContext(root, { logger: false });
  const decorators = [InjectToken(), Injectable()].map((decorator) => typeof decorator);
  const drain: (app: INestApplication, options: { readonly shutdown: Shutdown }) => { readonly httpDrain: object } =
    nestDrain;
  if (app.get(Shutdown) !== shutdown || decorators.join() !== 'function,function' || drain.length !== 2)
    throw new Error('the shutdown was not provided');
  await app.close();
}

void main();
