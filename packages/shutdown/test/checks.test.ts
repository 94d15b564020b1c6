import { setUncaughtHandler, TimeoutError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { sleep } from '@quiesce/select';
import { checkGracePeriod, checkSignals, shutdownWithTimeout } from '@quiesce/shutdown';
import { describe, expect, it } from 'vitest';
import { deaf, obedient, turn } from './vocabulary.ts';

describe('the limits of a pod', () => {
  it('fit the defaults of a shutdown', () => {
    expect(checkGracePeriod()).toEqual([]);
  });

  it.each([
    [
      'a grace period that is too short',
      { terminationGracePeriodSeconds: 20 },
      /may take 29.0 s, and the pod is killed after 20.0 s.*to 29/,
    ],
    ['a preStop that takes too much of it', { preStopSeconds: 5 }, /may take 34.0 s/],
    ['a timeout that is too long', { timeout: 60_000 }, /may take 64.0 s/],
    ['a drain that leaves no time for hooks', { drainTimeout: 24_000 }, /26.0 s of the total timeout of 25.0 s/],
    ['a probe that notices too late', { readinessDelay: 5_000 }, /false for 5.0 s .* needs 30.0 s to notice/],
  ])('give a warning about %s', (_, options, text) => {
    const warnings = checkGracePeriod(options);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(text);
  });

  it('give no warning when they fit each other', () => {
    const pod = { terminationGracePeriodSeconds: 60, preStopSeconds: 5, periodSeconds: 5, failureThreshold: 2 };
    expect(checkGracePeriod({ ...pod, readinessDelay: 5_000, timeout: 50_000, drainTimeout: 30_000 })).toEqual([]);
  });

  it('are refused when they are not times', () => {
    expect(() => checkGracePeriod({ preStopSeconds: -1 })).toThrow(/preStopSeconds must be/);
    expect(() => checkGracePeriod({ timeout: Number.NaN })).toThrow(/timeout must be/);
  });
});

describe('the process that gets the signals', () => {
  const env = {};

  it.each([
    [
      'this process, as process 1',
      { pid: 1, init: 'npm start', parent: undefined, env: { npm_lifecycle_event: 'start' } },
    ],
    ['this process, below systemd', { pid: 900, init: '/sbin/init', parent: '/sbin/init', env }],
    ['this process, from a terminal', { pid: 900, init: '/sbin/init', parent: '-bash', env }],
    [
      'this process, below tini',
      { pid: 7, init: '/sbin/tini -- node server.js', parent: '/sbin/tini -- node server.js', env },
    ],
    [
      'this process, below a shell that init signals with it',
      { pid: 8, init: '/sbin/tini -g -- sh -c run', parent: 'sh -c run', env },
    ],
    [
      'this process, below a shell of dumb-init, which signals all processes below it',
      { pid: 8, init: '/usr/bin/dumb-init sh -c run', parent: 'sh -c run', env },
    ],
    [
      'this process, below a script with the name of a wrapper',
      { pid: 9, init: '/sbin/init', parent: 'node /app/tsx/main.js', env },
    ],
    [
      'this process, started by a program that node runs with the loader of tsx',
      { pid: 9, init: '/sbin/init', parent: 'node --conditions=built --import tsx demo.ts', env },
    ],
    [
      'this process, started by a program whose loader is given by a short option',
      { pid: 9, init: '/sbin/init', parent: 'node -r tsx demo.ts', env },
    ],
    ['unknown', { pid: 900, init: undefined, parent: undefined, env }],
  ])('is %s: no warning', (_, facts) => {
    expect(checkSignals(facts)).toEqual([]);
  });

  it.each([
    [
      'a shell',
      { pid: 7, init: '/bin/sh -c node server.js', parent: '/bin/sh -c node server.js', env },
      /^process 1 is a shell/,
    ],
    ['a shell of busybox', { pid: 7, init: 'busybox sh run.sh', parent: 'busybox', env }, /^process 1 is a shell/],
    [
      'a shell below an init that signals only its child',
      { pid: 8, init: '/sbin/docker-init -- sh -c run', parent: 'sh -c run', env },
      /^the parent is a shell: .*sh -c run/,
    ],
    [
      'a script below such an init, with the shell of npm',
      { pid: 19, init: 'tini -- npm start', parent: 'sh -c run', env: { npm_lifecycle_event: 'start' } },
      /^a package manager/,
    ],
    ['npm', { pid: 19, init: 'npm start', parent: 'sh -c node server.js', env }, /^a package manager .*npm start/],
    [
      'npm as a script',
      { pid: 19, init: 'node /usr/local/bin/npm-cli.js start', parent: 'sh', env },
      /package manager/,
    ],
    [
      'pnpm as the parent',
      { pid: 900, init: '/sbin/init', parent: '/usr/bin/node /opt/pnpm.cjs run start', env },
      /package manager/,
    ],
    [
      'a script',
      { pid: 900, init: '/sbin/init', parent: 'sh', env: { npm_lifecycle_event: 'start' } },
      /the script "start"/,
    ],
  ])('is %s: a warning', (_, facts, text) => {
    const warnings = checkSignals(facts);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(text);
  });

  it.each([
    'node /app/node_modules/.bin/nodemon server.js',
    'node --no-warnings /app/node_modules/tsx/dist/cli.mjs watch server.ts',
    'node /app/node_modules/concurrently/dist/bin/concurrently.js -k a b',
    '/usr/bin/node --watch server.js',
    'node --inspect --watch-path=src server.js',
  ])('is the wrapper %s: a warning', (parent) => {
    const warnings = checkSignals({ pid: 900, init: '/sbin/init', parent, env });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(`a wrapper started this process (${parent})`);
  });

  it('is checked for this process by default', () => {
    expect(checkSignals()).toBeInstanceOf(Array);
  });
});

describe('shutdownWithTimeout', () => {
  const run = <T>(work: Parameters<typeof shutdownWithTimeout<T>>[0], ms = 100) => {
    const clock = new VirtualClock();
    return clock.run(async () => ({
      ...(await shutdownWithTimeout(work, ms, { cleanupTimeout: 50, clock })),
      after: clock.now(),
      timers: clock.pendingCount,
    }));
  };

  it('distinguishes a graceful end, a forced end, and no end', async () => {
    expect(await run(async () => 'flushed')).toEqual({ status: 'fulfilled', value: 'flushed', after: 0, timers: 0 });
    expect(await run(obedient)).toEqual({
      status: 'cancelled',
      reason: expect.any(TimeoutError),
      hasEnded: true,
      after: 100,
      timers: 0,
    });
    expect(await run(deaf)).toEqual({
      status: 'cancelled',
      reason: expect.any(TimeoutError),
      hasEnded: false,
      after: 150,
      timers: 0,
    });
  });

  it('counts a function that ends after its limit as forced, whatever it returns', async () => {
    const clock = new VirtualClock();
    const late = () => sleep(120, { clock }).then(() => 'value');
    const outcome = await clock.run(() => shutdownWithTimeout(late, 100, { clock }));
    expect(outcome).toEqual({ status: 'cancelled', reason: expect.any(TimeoutError), hasEnded: true });
    expect(clock.now()).toBe(120);
  });

  it('rejects with the error of the function, also after the force; an unrelated AbortError is an error', async () => {
    const error = new Error('disk full');
    await expect(run(() => Promise.reject(error))).rejects.toBe(error);
    await expect(
      run(() => {
        throw error;
      }),
    ).rejects.toBe(error);
    const abort = new DOMException('mine', 'AbortError');
    await expect(run(() => Promise.reject(abort))).rejects.toBe(abort);
    await expect(run((token) => token.cancelled().then(() => Promise.reject(error)))).rejects.toBe(error);
  });

  it('passes an error to the uncaught handler when the function was given up before', async () => {
    const clock = new VirtualClock();
    const caught: unknown[] = [];
    const before = setUncaughtHandler((error) => caught.push(error));
    const late = () => sleep(1_000, { clock }).then(() => Promise.reject('late'));
    await clock.run(() => shutdownWithTimeout(late, 10, { cleanupTimeout: 10, clock }));
    expect(caught).toEqual([]);
    await clock.advance(2_000);
    await turn();
    setUncaughtHandler(before);
    expect(caught).toEqual(['late']);
  });

  it('rejects when the function is not a function, or a time is not a time', async () => {
    await expect(shutdownWithTimeout(1 as never, 1)).rejects.toBeInstanceOf(TypeError);
    await expect(shutdownWithTimeout(() => {}, -1)).rejects.toBeInstanceOf(RangeError);
    await expect(shutdownWithTimeout(() => {}, 1, { cleanupTimeout: Number.NaN })).rejects.toBeInstanceOf(RangeError);
  });
});
