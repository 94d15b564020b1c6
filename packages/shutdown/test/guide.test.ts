// The scenarios of the guide that this project started from: guards, drop order, failure and deadlock in cleanup.
import { Mutex } from '@quiesce/channel';
import { scope } from '@quiesce/scope';
import { select, sleep } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { start } from './vocabulary.ts';

describe('drop order', () => {
  it('runs the outer cleanup before the resource that it uses is dropped', async () => {
    const { shutdown, log, say, end } = start();
    const inner = { data: 'Hello' as string | undefined };
    shutdown.hook('inner', () => {
      say('dropping inner');
      inner.data = undefined;
    });
    shutdown.hook('outer', () => say(`dropping outer, inner data: ${inner.data}`));
    shutdown.request();
    await end();
    expect(log).toEqual(['0 dropping outer, inner data: Hello', '0 dropping inner']);
  });

  it('closes the pool after its requests have ended and its connections are closed', async () => {
    const { shutdown, clock, log, say, end } = start();
    shutdown.hook('pool', () => say('pool closed'));
    for (const id of [1, 2]) shutdown.hook(`connection ${id}`, () => say(`connection ${id} closed`));
    const guard = shutdown.guard('request');
    shutdown.request();
    await clock.advance(30);
    say('request ends');
    guard.dispose();
    await end();
    expect(log).toEqual(['30 request ends', '30 connection 2 closed', '30 connection 1 closed', '30 pool closed']);
  });
});

describe('a guard', () => {
  it('is released however its block ends', async () => {
    const { shutdown, end } = start();
    const work = async (): Promise<void> => {
      using _ = shutdown.guard('request');
      expect(shutdown.progress.inFlightCount).toBe(1);
      await Promise.reject(new Error('panic'));
    };
    await expect(work()).rejects.toThrow('panic');
    expect(shutdown.progress.inFlightCount).toBe(0);
    shutdown.request();
    expect((await end()).exitCode).toBe(0);
  });
});

describe('a failure in cleanup', () => {
  it('after the failure that requested the shutdown aborts nothing: both are reported, and cleanup continues', async () => {
    const { shutdown, log, say, end } = start();
    const [first, second] = [new Error('first panic'), new Error('drop panicked')];
    shutdown.hook('rest', () => say('rest'));
    shutdown.hook('panics', () => {
      throw second;
    });
    shutdown.request(first);
    const report = await end();
    expect(report.request).toEqual({ kind: 'call', reason: first });
    expect(report.hooks.find(({ name }) => name === 'panics')?.error).toBe(second);
    expect([log, report.exitCode]).toEqual([['0 rest'], 1]);
  });
});

describe('a deadlock in cleanup', () => {
  it('of a hook that acquires a lock whose holder waits for the hook ends at its timeout, and is named', async () => {
    const { shutdown, log, say, end } = start({ hookTimeout: 100 });
    const mutex = new Mutex();
    const held = await mutex.acquire();
    shutdown.hook('worker', () => say('worker joined'));
    shutdown.hook('bad', async (token) => {
      (await mutex.acquire({ signal: token })).release();
    });
    shutdown.request();
    const report = await end();
    held.release();
    expect(report.hooks[0]).toMatchObject({ name: 'bad', outcome: 'timed out', durationMs: 100 });
    expect(log).toEqual(['100 worker joined']);
    // The hook has left the queue of the lock, and has not acquired it.
    expect(mutex.tryAcquire().ok).toBe(true);
  });

  it('does not occur when the hook only tries', async () => {
    const { shutdown, log, say, end } = start();
    const mutex = new Mutex();
    const held = await mutex.acquire();
    shutdown.hook('good', () => say(mutex.tryAcquire().ok ? 'locked' : 'could not acquire the lock, continuing'));
    shutdown.request();
    expect((await end()).exitCode).toBe(0);
    held.release();
    expect(log).toEqual(['0 could not acquire the lock, continuing']);
  });
});

describe('two phases', () => {
  it('cancel stopAccepting first, and stopNow for the work that is left', async () => {
    const { shutdown, clock, log, say, end } = start({ drainTimeout: 100 });
    const workers = scope(
      (s) => {
        for (const [id, takes] of [50, 1_000].entries()) {
          s.spawn(async (token) => {
            using _ = shutdown.guard(`worker ${id}`);
            await shutdown.stopAccepting.cancelled();
            say(`worker ${id} takes no more`);
            const { branch } = await select({ stopNow: token, done: sleep(takes, { clock }) });
            say(`worker ${id}: ${branch}`);
          });
        }
      },
      { signal: shutdown.stopNow },
    ).catch(() => say('scope cancelled'));
    await clock.advance(0);
    shutdown.request();
    const report = await end();
    await workers;
    expect(log.slice(0, 4)).toEqual([
      ...['0 worker 0 takes no more', '0 worker 1 takes no more', '50 worker 0: done', '100 worker 1: stopNow'],
    ]);
    expect(report).toMatchObject({ cutOff: [{ name: 'guards', inFlightCount: 1 }], unfinished: [], exitCode: 1 });
  });
});
