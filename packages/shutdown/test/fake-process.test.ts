// A shutdown of a fake process: signals, errors, exit codes and output without a process of its own.
import { setImmediate as turn } from 'node:timers/promises';
import { runMain, Shutdown } from '@quiesce/shutdown';
import { explore, FakeProcess, VirtualClock } from '@quiesce/testing';
import { describe, expect, it } from 'vitest';

describe('a fake process', () => {
  it('gets the listeners of an installation, and this process none', async () => {
    const own = process.listenerCount('SIGTERM');
    const kill = process.kill;
    const fake = new FakeProcess();
    const installation = new Shutdown({ logger: false }).install({ process: fake });
    expect(fake.listenerCount('SIGTERM')).toBe(1);
    expect(fake.listenerCount('uncaughtException')).toBe(1);
    expect(process.listenerCount('SIGTERM')).toBe(own);
    expect(process.kill).toBe(kill);
    installation.dispose();
    for (const event of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2', 'uncaughtException']) {
      expect(fake.listenerCount(event)).toBe(0);
    }
    fake.send('SIGTERM');
    expect(await fake.exited).toBe(143);
  });

  it('ends a service with exit code 0, and twice in one process', async () => {
    for (let i = 0; i < 2; i++) {
      const fake = new FakeProcess();
      const steps: string[] = [];
      const end = runMain(
        async (_, shutdown) => {
          shutdown.hook('flush', () => void steps.push('flushed'));
          await shutdown.stopAccepting.cancelled();
          steps.push('stopped');
        },
        { process: fake },
      );
      await turn();
      fake.send('SIGTERM');
      expect(await fake.exited).toBe(0);
      await end;
      expect(steps).toEqual(['stopped', 'flushed']);
      expect(fake.stderr.text).toContain('SIGTERM');
      expect(fake.listenerCount('newListener')).toBe(0);
    }
  });

  it('is forced by a second signal, exits at the third, and counts no signal of its own', async () => {
    const clock = new VirtualClock();
    const fake = new FakeProcess();
    const shutdown = new Shutdown({ clock, logger: false });
    shutdown.hook('stuck', () => new Promise(() => {}));
    shutdown.install({ process: fake, signalDebounce: 0 });
    fake.send('SIGTERM');
    fake.kill(fake.pid, 'SIGTERM');
    for (let i = 0; i < 5; i++) await turn();
    expect(shutdown.report().force).toBeUndefined();
    fake.send('SIGTERM');
    expect(shutdown.report().force?.by).toBe('signal');
    fake.send('SIGINT');
    expect(await clock.run(() => fake.exited)).toBe(130);
    expect(fake.listenerCount('SIGINT')).toBe(0);
  });

  it('reports an uncaught error, and exits with 1', async () => {
    const fake = new FakeProcess();
    const end = runMain((_, shutdown) => shutdown.stopAccepting.cancelled(), { process: fake });
    fake.emit('uncaughtException', new Error('lost'), 'uncaughtException');
    expect(await fake.exited).toBe(1);
    await end;
    expect(fake.stderr.text).toContain('lost');
  });

  it('is explored: whenever signals come, hooks run once and the process exits once', async () => {
    await explore(
      async (world) => {
        const save = world.external('save', ['saved'], { within: 100, detached: true });
        const fake = new FakeProcess();
        let flushed = 0;
        let exits = 0;
        fake.on('exit', () => exits++);
        world.events('signals', ['SIGTERM', 'SIGINT'], (signal) => void fake.send(signal));
        await runMain(
          async (_, shutdown) => {
            shutdown.hook('flush', () => void flushed++);
            await save();
            await shutdown.stopAccepting.cancelled();
          },
          { process: fake, logger: false, signalDebounce: 0 },
        );
        expect([flushed, exits, fake.hasExited]).toEqual([1, 1, true]);
        expect(fake.listenerCount('SIGTERM')).toBe(0);
      },
      { bound: 1 },
    );
  });

  it('must have the methods of a process', () => {
    expect(() => new Shutdown().install({ process: {} as never })).toThrow(
      'install: process: expected a process, such as a FakeProcess, got an object',
    );
    expect(() => new Shutdown().install({ process: 1 as never })).toThrow(TypeError);
  });
});
