// Two copies of the package in one process, as in a program that depends on it in two versions.
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as own from '@quiesce/cancellation-token';
import { untilCancelled } from '@quiesce/cancellation-token/internal';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { RefClock } from './helpers/ref-clock.ts';
import { callback, idleWaiter, type Log } from './helpers/script.ts';

let directory: string;
/** The other copy, as a file. */
let file: string;
let other: typeof own;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'quiesce-copy-'));
  const outfile = join(directory, 'copy.mjs');
  file = pathToFileURL(outfile).href;
  const entry = createRequire(import.meta.url).resolve('@quiesce/cancellation-token');
  await build({ entryPoints: [entry], outfile, bundle: true, format: 'esm', platform: 'node', target: 'es2022' });
  other = (await import(file)) as typeof own;
});
afterAll(() => {
  rmSync(directory, { recursive: true });
});

test('the two copies have classes of their own', () => {
  expect(other.CancellationToken).not.toBe(own.CancellationToken);
  expect(new other.CancellationToken()).not.toBeInstanceOf(own.CancellationToken);
});

describe('a token of the other copy', () => {
  test('is accepted and followed', () => {
    const foreign = new other.CancellationToken();
    const token = own.CancellationToken.from(foreign as unknown as own.CancellationToken);
    expect(token).toBeInstanceOf(own.CancellationToken);
    const log: Log = [];
    callback(log, token, 'called');
    const reason = { why: 'because' };
    foreign.cancel(reason);
    expect(log).toEqual(['called']);
    expect(token.reason).toBe(reason);
  });

  test('is left alone when its follower is cancelled', () => {
    const foreign = new other.CancellationToken();
    own.CancellationToken.from(foreign as unknown as own.CancellationToken).cancel();
    expect(foreign.isCancelled).toBe(false);
  });

  test('is a source', () => {
    const foreign = new other.CancellationToken();
    expect(own.isSource(foreign)).toBe(true);
    const log: Log = [];
    const parked = idleWaiter(log, 'woken');
    expect(foreign[own.source].poll()).toBe(own.PENDING);
    foreign[own.source].park(parked);
    expect(() => new own.CancellationToken()[own.source].park(parked)).toThrow(TypeError);
    foreign.cancel();
    expect(log).toEqual(['woken']);
  });

  test('has reasons that are recognised', () => {
    const foreign = new other.CancellationToken();
    foreign.cancel();
    expect(foreign.reason).not.toBeInstanceOf(own.CancelledError);
    expect([own.isCancelledError(foreign.reason), own.isCancellation(foreign.reason)]).toEqual([true, true]);
    expect(own.isCancellationOf(foreign.reason, foreign as unknown as own.CancellationToken)).toBe(true);
  });
});

describe('tokens of both copies', () => {
  const both = (): { mine: own.CancellationToken; theirs: own.CancellationToken } => ({
    mine: new own.CancellationToken(),
    theirs: new other.CancellationToken() as unknown as own.CancellationToken,
  });

  test('are combined by `any` and `all` of either copy', () => {
    for (const { CancellationToken } of [own, other]) {
      const { mine, theirs } = both();
      const any = CancellationToken.any([mine, theirs]);
      const all = CancellationToken.all([mine, theirs]);
      const log: Log = [];
      callback(log, any as own.CancellationToken, 'any');
      callback(log, all as own.CancellationToken, 'all');
      theirs.cancel('theirs');
      expect([log, any.reason, all.isCancelled]).toEqual([['any'], 'theirs', false]);
      mine.cancel('mine');
      expect([log, all.reason]).toEqual([['any', 'all'], 'mine']);
    }
  });

  test('resolve their state at each read; the other copy’s counts as cancelled from its detection', () => {
    const { mine, theirs } = both();
    const any = own.CancellationToken.any([mine, theirs]);
    const all = own.CancellationToken.all([mine, theirs]);
    theirs.cancel('theirs');
    mine.cancel('mine');
    expect([any.reason, all.reason]).toEqual(['mine', 'theirs']);
  });

  test('share a deadline: the follower is cancelled with the TimeoutError of the other copy', async () => {
    const clock = new VirtualClock();
    const theirs = new other.CancellationToken().withTimeout(5, { clock });
    const follower = own.CancellationToken.from(theirs as unknown as own.CancellationToken).childToken();
    const log: Log = [];
    callback(log, follower, 'called');
    await clock.advance(5);
    expect(log).toEqual(['called']);
    expect(follower.reason).toBe(theirs.reason);
    expect(follower.reason).not.toBeInstanceOf(own.TimeoutError);
    expect(follower.reason).toMatchObject({ name: 'TimeoutError', code: 'ERR_TIMEOUT', ms: 5 });
    // A timeout is a cancellation only together with the token that it ended.
    expect([own.isCancellation(follower.reason), own.isCancellation(follower.reason, follower)]).toEqual([false, true]);
    expect(own.isCancellationOf(theirs.reason, follower)).toBe(true);
  });

  test('detect a deadline of the other copy only after its timer has fired', () => {
    const clock = new RefClock();
    const theirs = new other.CancellationToken().withTimeout(5, { clock });
    const follower = own.CancellationToken.from(theirs as unknown as own.CancellationToken);
    clock.time = 5;
    expect([follower.isCancelled, follower.deadline]).toEqual([false, undefined]);
    clock.fire(5);
    expect(follower.isCancelled).toBe(true);
  });

  test('run work until the other copy’s token is cancelled', async () => {
    const { theirs } = both();
    const running = own.wait(untilCancelled(theirs, new own.CancellationToken()));
    theirs.cancel('theirs');
    expect(await running).toEqual({ status: 'cancelled', reason: 'theirs' });
  });
});

test('a TimeoutError carries the brand of its class, in either copy', () => {
  const brand = Symbol.for('quiesce.error');
  for (const { TimeoutError } of [own, other]) expect(Reflect.get(new TimeoutError(1), brand)).toBe('TimeoutError');
});

test('a ClosedError of the other copy is recognised', () => {
  const error = new other.ClosedError('closed');
  expect(error).not.toBeInstanceOf(own.ClosedError);
  expect([own.isClosedError(error), own.isCancelledError(error)]).toEqual([true, false]);
});

test('a MessageChannel provides the yield where there is no setImmediate', async () => {
  let channels = 0;
  class Counted extends MessageChannel {
    constructor() {
      super();
      channels++;
    }
  }
  vi.stubGlobal('MessageChannel', Counted);
  vi.stubGlobal('setImmediate', undefined);
  try {
    // The platform's functions are read once, when the module is loaded; not every runtime accepts `?bare` for another one.
    const bareFile = join(directory, 'bare.mjs');
    copyFileSync(join(directory, 'copy.mjs'), bareFile);
    const bare = (await import(pathToFileURL(bareFile).href)) as typeof own;
    let yielding: Promise<void> | undefined;
    for (let i = 0; i < 1_024; i++) yielding = bare.consumeBudget();
    await yielding;
    expect(channels).toBe(1);
  } finally {
    vi.unstubAllGlobals();
  }
});
