import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { type Scope, scope } from '@quiesce/scope';
import { sleep } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { deaf, rejection, turn, uncaughtIn, unhandledIn } from './vocabulary.ts';

const error = new Error('no connection');

class Connection {
  readonly log: string[];
  constructor(log: string[]) {
    this.log = log;
  }
  async [Symbol.asyncDispose](): Promise<void> {
    this.log.push('asynchronously');
  }
  [Symbol.dispose](): void {
    this.log.push('synchronously');
  }
}

describe('use', () => {
  it('returns the resource, and closes it after the tasks, the last one first', async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    const close = (name: string): unknown => log.push(`close ${name}`);
    await clock.run(() =>
      scope(async (s) => {
        const pool = await s.use(
          sleep(5, { clock }).then(() => 'pool'),
          close,
        );
        const connection = await s.use(`connection of ${pool}`, close);
        s.spawn(() => sleep(5, { clock }).then(() => log.push(`used ${connection}`)));
      }),
    );
    expect(log).toEqual(['used connection of pool', 'close connection of pool', 'close pool']);
  });

  it('closes by Symbol.asyncDispose, else by Symbol.dispose, with the resource as this', async () => {
    const log: string[] = [];
    await scope(async (s) => {
      await s.use(new Connection(log));
      await s.use({
        [Symbol.dispose]() {
          log.push(`synchronously ${this === Object(this)}`);
        },
      });
    });
    expect(log).toEqual(['synchronously true', 'asynchronously']);
  });

  it('closes a resource that arrives after the cancellation', async () => {
    const log: string[] = [];
    const { work, fulfil } = deaf<string>();
    const done = scope(async (s) => {
      void s.use(work(), (name) => log.push(`close ${name}`));
      s.cancel('stop');
      s.token.throwIfCancelled();
    });
    await turn();
    fulfil('late');
    expect(await rejection(done)).toBe('stop');
    expect(log).toEqual(['close late']);
  });

  it('closes a resource that arrives after its scope has given up on it, and after it has ended', async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    const { work, fulfil } = deaf<string>();
    const close = async (name: string): Promise<never> => {
      log.push(`close ${name}`);
      throw error;
    };
    const done = scope(
      (s) => {
        void s.use(work(), close, { name: 'database' });
        s.cancel('stop');
      },
      { clock, cleanupTimeout: 10 },
    );
    expect(await rejection(clock.run(() => done))).toMatchObject({ unfinished: [{ name: 'use', ageMs: 10 }] });
    const uncaught = await uncaughtIn(() => fulfil('very late'));
    expect(log).toEqual(['close very late']);
    expect(uncaught).toMatchObject([{ cause: error, message: expect.stringContaining('database failed after') }]);
  });

  it('gives no resource to a body that the scope has given up on, since it would be closed', async () => {
    for (const isCleaning of [false, true]) {
      const clock = new VirtualClock();
      const log: string[] = [];
      const { work, fulfil } = deaf<string>();
      const cleaning = deaf();
      const done = scope(
        async (s) => {
          if (isCleaning) s.defer(() => cleaning.work());
          s.cancel('stop');
          const resource = await s.use(work(), (name) => log.push(`close ${name}`)).catch((reason) => `no: ${reason}`);
          log.push(resource);
        },
        { clock, cleanupTimeout: 10 },
      );
      const ended = rejection(done);
      await clock.advance(10);
      await turn();
      const uncaught = await uncaughtIn(() => fulfil('database'));
      cleaning.fulfil();
      await clock.advance(10);
      expect(await ended).toMatchObject({ name: 'CleanupTimeoutError' });
      expect(log.sort()).toEqual(['close database', 'no: stop']);
      expect(uncaught).toEqual([]);
    }
  });

  it('throws in a scope that has ended, and still closes the resource', async () => {
    const log: string[] = [];
    let outside: Scope | undefined;
    await scope((s) => {
      outside = s;
    });
    const use = (): unknown => outside?.use(Promise.resolve('orphan'), (name) => log.push(`close ${name}`));
    expect(use).toThrow('use: scope has ended');
    await turn();
    expect(log).toEqual(['close orphan']);
  });

  it('leaves the failure to open to the code that awaits it, and otherwise to the scope', async () => {
    const failed = (): Promise<Connection> => Promise.reject(error);
    expect(await scope((s) => s.use(failed()).catch(() => 'handled'))).toBe('handled');
    expect(await rejection(scope((s) => void s.use(failed())))).toBe(error);
    const unhandled = await unhandledIn(() => scope((s) => void s.use(failed())).catch(() => {}));
    expect(unhandled).toEqual([]);
  });

  it('throws for a resource that it cannot close', async () => {
    const done = scope((s) => s.use({ no: 'symbol' }));
    expect(await rejection(done)).toMatchObject({
      message: expect.stringContaining('use: an object is not disposable'),
    });
    await scope((s) => {
      expect(() => s.use(new Connection([]), 'close' as never)).toThrow(TypeError);
    });
  });

  it('closes a resource even if its getters throw', async () => {
    const log: string[] = [];
    const hostile = Object.defineProperty({}, 'constructor', {
      get() {
        throw error;
      },
    });
    await scope((s) => void s.use(hostile, () => log.push('closed')));
    expect(log).toEqual(['closed']);
  });
});
