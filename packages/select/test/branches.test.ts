import { broadcast } from '@quiesce/broadcast-channel';
import { CancellationToken } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { scope } from '@quiesce/scope';
import { select, sleep } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { cancelled, deferred, now, Probe, rejection, thenable, turn } from './vocabulary.ts';

describe('a branch can be', () => {
  it('a token, whose value is the reason', async () => {
    const token = new CancellationToken();
    const outcome = select({ stopped: token });
    token.cancel('deploy');
    expect(await outcome).toEqual({ branch: 'stopped', value: 'deploy' });
    expect(await select({ stopped: token })).toEqual({ branch: 'stopped', value: 'deploy' });
  });

  it('the result of token.cancelled(), with the same value', async () => {
    const token = new CancellationToken();
    const outcome = select({ stopped: token.cancelled() });
    token.cancel('deploy');
    expect(await outcome).toEqual({ branch: 'stopped', value: 'deploy' });
  });

  it('an AbortSignal that is aborted before or during the wait; its value is the reason', async () => {
    const controller = new AbortController();
    const outcome = select({ gone: controller.signal });
    controller.abort('left');
    expect(await outcome).toEqual({ branch: 'gone', value: 'left' });
    expect(await select({ gone: controller.signal })).toEqual({ branch: 'gone', value: 'left' });
    const reason = AbortSignal.abort().reason;
    expect(reason).toBeInstanceOf(DOMException);
  });

  it('the signal of a token, even one that is marked and has not fired yet', async () => {
    const token = new CancellationToken();
    const outcome = select({ stopped: token.signal });
    let inside: Promise<unknown> | undefined;
    const early = new CancellationToken();
    early.onCancelled(() => {
      expect(early.signal.aborted).toBe(false);
      inside = select({ stopped: early.signal });
    });
    expect(early.signal.aborted).toBe(false);
    token.cancel(1);
    early.cancel(2);
    expect(await outcome).toEqual({ branch: 'stopped', value: 1 });
    expect(inside && (await now(inside))).toEqual({ branch: 'stopped', value: 2 });
  });

  it('a receiver, whose value is the next message', async () => {
    const [tx, rx] = broadcast<string>(4);
    const waiting = select({ page: rx });
    tx.send('a');
    tx.send('b');
    expect(await waiting).toEqual({ branch: 'page', value: 'a' });
    expect(await select({ page: rx })).toEqual({ branch: 'page', value: 'b' });
  });

  it('a sleep, whose value is undefined', async () => {
    const clock = new VirtualClock();
    const outcome = await clock.run(() => select({ tick: sleep(10, { clock }) }));
    expect(outcome).toEqual({ branch: 'tick', value: undefined });
  });

  it('a task of a scope, whose value is its result', async () => {
    const outcome = await scope((s) => select({ task: s.spawn(() => turn().then(() => 7)) }));
    expect(outcome).toEqual({ branch: 'task', value: 7 });
  });

  it('a promise', async () => {
    const { promise, resolve } = deferred<number>();
    const outcome = select({ answer: promise });
    resolve(42);
    expect(await outcome).toEqual({ branch: 'answer', value: 42 });
    expect(await select({ answer: Promise.resolve('there') })).toEqual({ branch: 'answer', value: 'there' });
  });

  it('a function that returns a promise, a thenable, a plain value, or a task', async () => {
    expect(await select({ work: async () => 1 })).toEqual({ branch: 'work', value: 1 });
    expect(await select({ work: () => 2 })).toEqual({ branch: 'work', value: 2 });
    expect(await select({ work: () => {} })).toEqual({ branch: 'work', value: undefined });
    const like = thenable<number>((resolve: (n: number) => void) => resolve(3));
    expect(await select({ work: () => like })).toEqual({ branch: 'work', value: 3 });
    const outcome = await scope((s) => select({ work: () => s.spawn(async () => 4) }));
    expect(outcome).toEqual({ branch: 'work', value: 4 });
  });
});

describe('a thenable', () => {
  it('can call back synchronously', async () => {
    const like = thenable<number>((resolve: (n: number) => void) => resolve(1));
    expect(await select({ like })).toEqual({ branch: 'like', value: 1 });
  });

  it('can call back twice, and the first call counts', async () => {
    const like = thenable<number>((resolve: (n: number) => void, reject: (error: unknown) => void) => {
      resolve(1);
      reject(new Error('and now?'));
      resolve(2);
    });
    expect(await select({ like })).toEqual({ branch: 'like', value: 1 });
    expect(await select({ like, other: 1 > 2 && like })).toEqual({ branch: 'like', value: 1 });
  });

  it('fails its branch when it throws, unless it has called back before', async () => {
    const error = new Error('then');
    const throws = thenable<never>(() => {
      throw error;
    });
    const late = thenable<number>((resolve: (n: number) => void) => {
      resolve(1);
      throw error;
    });
    expect(await rejection(select({ throws }))).toBe(error);
    expect(await select({ late })).toEqual({ branch: 'late', value: 1 });
  });

  it('can be a promise of a subclass whose `then` calls back synchronously', async () => {
    class Instant<T> extends Promise<T> {
      static override get [Symbol.species](): PromiseConstructor {
        return Promise;
      }
    }
    const instant = new Instant<number>(() => {});
    void Object.defineProperty(instant, 'then', {
      value: (resolve: (n: number) => void) => {
        resolve(5);
        return Promise.resolve();
      },
    });
    expect(await now(select({ instant }))).toEqual({ branch: 'instant', value: 5 });
  });

  it('can be a function, which is awaited and not called', async () => {
    let called = false;
    const like = Object.assign(() => (called = true), {});
    Object.defineProperty(like, 'then', { value: (resolve: (n: number) => void) => resolve(1) });
    expect(await select({ like })).toEqual({ branch: 'like', value: 1 });
    expect(called).toBe(false);
  });
});

describe('a value of several kinds', () => {
  it('is a source before it is a thenable', async () => {
    const probe = new Probe('as a source');
    Object.defineProperty(probe, 'then', { value: (resolve: (text: string) => void) => resolve('as a thenable') });
    expect(await select({ probe })).toEqual({ branch: 'probe', value: 'as a source' });
  });

  it('is a thenable before it is a signal', async () => {
    const { signal } = new AbortController();
    Object.defineProperty(signal, 'then', { value: (resolve: (text: string) => void) => resolve('as a thenable') });
    expect(await select({ signal })).toEqual({ branch: 'signal', value: 'as a thenable' });
  });
});

describe('a branch that is off', () => {
  it.each([false, null, undefined] as const)('is ignored when it is %s', async (off) => {
    expect(await select({ off, on: cancelled('on') })).toEqual({ branch: 'on', value: 'on' });
    expect(await select.biased({ off, on: async () => 1 })).toEqual({ branch: 'on', value: 1 });
  });

  it('is not polled when a condition switches it off', async () => {
    const probe = new Probe(1);
    const wanted = (n: number): boolean => n > 1;
    expect(await select({ job: wanted(1) && probe, done: cancelled(0) })).toMatchObject({ branch: 'done' });
    expect(probe.polls).toBe(0);
  });
});

describe('else', () => {
  it('is taken when every branch is off', async () => {
    expect(await select({ a: false, b: null, c: undefined, else: () => 'idle' })).toEqual({
      branch: 'else',
      value: 'idle',
    });
    expect(await select.biased({ else: () => 1 })).toEqual({ branch: 'else', value: 1 });
  });

  it('is not called while a pending branch is on', async () => {
    let called = false;
    const token = new CancellationToken();
    const outcome = select({ token, else: () => (called = true) });
    expect(await now(outcome)).toBe('pending');
    token.cancel('now');
    expect(await outcome).toEqual({ branch: 'token', value: 'now' });
    expect(called).toBe(false);
  });

  it('fails the select with its error, verbatim', async () => {
    const error = new Error('idle');
    const otherwise = (): never => {
      throw error;
    };
    expect(await rejection(select({ else: otherwise }))).toBe(error);
  });
});
