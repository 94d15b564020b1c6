import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { Scope, scope } from '@quiesce/scope';
import { sleep } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { failing, obedient, rejection } from './vocabulary.ts';

const error = new Error('daemon');

describe('a daemon', () => {
  it('is cancelled when body and tasks have ended, and is then awaited', async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    const value = await clock.run(() =>
      scope((s) => {
        s.defer(() => log.push(`cleanup at ${clock.now()}`));
        s.spawn(
          obedient(clock, 5, () => log.push(`daemon at ${clock.now()}`)),
          { daemon: true },
        );
        s.spawn(() => sleep(10, { clock }).then(() => log.push(`task at ${clock.now()}`)));
        return 'value';
      }),
    );
    expect(value).toBe('value');
    expect(log).toEqual(['task at 10', 'daemon at 15', 'cleanup at 15']);
  });

  it('is cancelled with a reason that explains it, and the token of its scope is not', async () => {
    let reason: unknown;
    let isCancelled: boolean | undefined;
    await scope(
      (s) => {
        s.spawn(
          async (token) => {
            await token.cancelled();
            reason = token.reason;
            isCancelled = s.token.isCancelled;
          },
          { daemon: true },
        );
      },
      { name: 'page' },
    );
    expect(isCancelled).toBe(false);
    expect(reason).toMatchObject({ source: 'scope', message: 'All other work of scope "page" has ended' });
  });

  it('is a failure like any other when it fails, early or after its cancellation', async () => {
    const clock = new VirtualClock();
    const early = scope(async (s) => {
      s.spawn(failing(clock, 1, error), { daemon: true });
      await obedient(clock)(s.token);
    });
    expect(await rejection(clock.run(() => early))).toBe(error);
    const late = scope((s) => {
      s.spawn(
        async (token) => {
          await token.cancelled();
          throw error;
        },
        { daemon: true },
      );
    });
    expect(await rejection(late)).toBe(error);
  });

  it('can spawn a task when it is cancelled, which is awaited, and a daemon, which starts cancelled', async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    await clock.run(() =>
      scope((s) => {
        s.spawn(
          async (token) => {
            await token.cancelled();
            s.spawn((token) => log.push(`daemon ${token.isCancelled}`), { daemon: true });
            s.spawn(async (token) => {
              log.push(`task ${token.isCancelled}`);
              s.spawn((token) => log.push(`daemon beside a task ${token.isCancelled}`), { daemon: true });
              await sleep(5, { clock });
              log.push(`task ended at ${clock.now()}`);
            });
          },
          { daemon: true },
        );
      }),
    );
    expect(log).toEqual(['daemon true', 'task false', 'daemon beside a task false', 'task ended at 5']);
  });

  it('is cancelled with the others when it is spawned late, while tasks run', async () => {
    const clock = new VirtualClock();
    const states: string[] = [];
    await clock.run(() =>
      scope((s) => {
        s.spawn(obedient(clock), { daemon: true });
        s.spawn(async () => {
          await sleep(5, { clock });
          s.spawn(
            obedient(clock, 1, () => states.push('late')),
            { daemon: true },
          );
          await sleep(5, { clock });
        });
      }),
    );
    expect(states).toEqual(['late']);
    expect(clock.now()).toBe(11);
  });

  it('does not keep a block open at join', async () => {
    const s = new Scope();
    const daemon = s.spawn(obedient(new VirtualClock()), { daemon: true });
    await s.join();
    expect(daemon.status).toBe('cancelled');
  });
});
