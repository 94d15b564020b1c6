// Arguments and types of the adapters of queues. Their behaviour is tested with real servers, in the slow tests.
import { type DrainableWorker, drainableWorker } from '@quiesce/adapters/bullmq';
import { type DrainableJobs, drainableQueue } from '@quiesce/adapters/pg-boss';
import { type Processor, Worker } from 'bullmq';
import type PgBoss10 from 'pg-boss';
import type PgBoss11 from 'pg-boss-11';
import type { PgBoss as PgBoss12 } from 'pg-boss-12';
import { describe, expect, expectTypeOf, it } from 'vitest';

describe('`drainableWorker`', () => {
  it('types the job, its result and its name by the worker', () => {
    interface Mail {
      readonly to: string;
    }
    const create = (processor: Processor): Worker<Mail, number, 'welcome'> =>
      new Worker<Mail, number, 'welcome'>('mails', processor, { connection: {}, autorun: false });
    const typed = () =>
      drainableWorker(create, async ({ data, name }) => {
        expectTypeOf(name).toEqualTypeOf<'welcome'>();
        return data.to.length;
      });
    expectTypeOf(typed).returns.toEqualTypeOf<DrainableWorker<Worker<Mail, number, 'welcome'>>>();
    // @ts-expect-error: the worker returns a number
    const wrong = () => drainableWorker(create, async ({ data }) => data.to);
    expectTypeOf(wrong).toBeFunction();
  });

  const create = (): Worker => {
    throw new Error('must not be called');
  };

  it('refuses unknown options and wrong arguments, and names them', () => {
    expect(() => drainableWorker(create, async () => {}, { cleanupTimeOut: 1 } as object)).toThrow(
      'drainableWorker: there is no option "cleanupTimeOut"; did you mean "cleanupTimeout"?',
    );
    expect(() => drainableWorker(create, async () => {}, { cleanupTimeout: -1 })).toThrow(
      'drainableWorker: cleanupTimeout must be milliseconds from 0 to Infinity, got the number -1',
    );
    expect(() => drainableWorker(create, 'work' as never)).toThrow(
      'drainableWorker: expected a function, got the string "work"',
    );
    expect(() => drainableWorker({} as never, async () => {})).toThrow(
      'pass (processor) => new Worker(name, processor, options)',
    );
    expect(() => drainableWorker((() => 1) as never, async () => {})).toThrow(
      'drainableWorker: expected a function that returns a Worker of bullmq, got the number 1',
    );
  });
});

describe('`drainableQueue`', () => {
  const boss = { fetch() {}, complete() {}, fail() {} } as unknown as PgBoss10;

  it('takes an instance of each supported version, and types the data of the job', () => {
    const typed = (boss: PgBoss10 | PgBoss11 | PgBoss12) =>
      drainableQueue<{ to: string }>(boss, 'mails', ({ data }) => data.to.length);
    expectTypeOf(typed).returns.toEqualTypeOf<DrainableJobs>();
  });

  it('refuses unknown options and wrong arguments, and names them', () => {
    const start = (options: object) => () => drainableQueue(boss, 'mails', () => {}, options);
    expect(start({ pollingIntervalSeconds: 1 })).toThrow(
      'drainableQueue: there is no option "pollingIntervalSeconds"; did you mean "pollingInterval"?',
    );
    expect(start({ concurrency: 0 })).toThrow(
      'drainableQueue: concurrency must be an integer from 1 to 2^53-1, got the number 0',
    );
    expect(start({ pollingInterval: -1 })).toThrow('drainableQueue: pollingInterval must be milliseconds');
    expect(start({ lockCheckInterval: Number.NaN })).toThrow('drainableQueue: lockCheckInterval must be milliseconds');
    expect(() => drainableQueue({} as never, 'mails', () => {})).toThrow('drainableQueue: expected a PgBoss, got');
    expect(() => drainableQueue(boss, '', () => {})).toThrow('drainableQueue: expected the name of a queue, got');
    expect(() => drainableQueue(boss, 'mails', undefined as never)).toThrow('drainableQueue: expected a function, got');
  });
});
