// Tests of a service of docs/examples/express-bullmq, with a real Redis, and stopped by a real SIGTERM under load.
import { Queue } from 'bullmq';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { redis, startRedis, type TestServer } from '../../packages/adapters/test/servers.ts';
import { type Consumer, type Service, startClients, startConsumer, startService, until } from './example-service.ts';

interface Mail {
  readonly id: string;
}

export function testService(name: 'service' | 'rival'): void {
  describe.skipIf(redis.isMissing)(`the ${name} with a queue of jobs${redis.note}`, { timeout: 600_000 }, () => {
    let server: TestServer;
    let queue: Queue;
    let consumer: Consumer;
    let env: Record<string, string>;

    beforeAll(async () => {
      server = await startRedis();
      const url = `redis://127.0.0.1:${server.port}`;
      queue = new Queue('mails', { connection: { url } });
      env = { REDIS_URL: url };
    }, 120_000);

    afterAll(async () => {
      await queue?.close();
      await server?.stop();
    });

    beforeEach(async () => {
      await queue.obliterate({ force: true });
      consumer = await startConsumer();
    });

    const start = (name: string): Promise<Service> =>
      startService(`express-bullmq/${name}`, { ...env, MAIL_URL: consumer.url });
    const startMails = (count: number, { origin }: Service) =>
      startClients(count, `${origin}/mails`, (id) => ({ id, to: 'ada@example.org' }));
    const sent = (): string[] => consumer.received.map((mail) => (mail as Mail).id).sort();
    const waiting = async (): Promise<string[]> => (await queue.getWaiting()).map(({ id }) => id as string);

    it('serves each request, and sends each accepted mail exactly once', async () => {
      const service = await start(name);
      const clients = startMails(100, service);
      await clients.started;
      const { code, output } = await service.stop();
      expect(code, output).toBe(0);
      const { accepted, refused, cutOff } = await clients.ended;
      expect({ refused, cutOff }).toEqual({ refused: [], cutOff: [] });
      expect(await queue.getJobCounts('active', 'delayed', 'failed')).toEqual({ active: 0, delayed: 0, failed: 0 });
      expect([...sent(), ...(await waiting())].sort()).toEqual([...accepted].sort());

      const next = await start(name);
      await until(async () => (await queue.getJobCountByTypes('waiting', 'active')) === 0);
      expect((await next.stop()).code).toBe(0);
      expect(sent()).toEqual([...accepted].sort());
    });

    const codeAtDeadline = name === 'service' ? 1 : 0;
    it(`gives back jobs at the deadline, without an attempt, and exits with ${codeAtDeadline}`, async () => {
      consumer.isAnswering = false;
      const service = await start(name);
      const clients = startMails(1, service);
      await clients.started;
      await until(() => consumer.received.length >= 3);
      const { code, output } = await service.stop();
      const { accepted } = await clients.ended;
      expect({ code, isNamed: output.includes(`mail ${accepted[0]}`) }, output).toEqual({
        code: codeAtDeadline,
        isNamed: true,
      });
      const jobs = await queue.getWaiting();
      expect(jobs.map(({ id }) => id).sort()).toEqual([...accepted].sort());
      expect(jobs.every(({ attemptsMade }) => attemptsMade === 0)).toBe(true);
    });
  });
}
