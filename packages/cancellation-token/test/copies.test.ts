// Two copies of the package in one process, as a program has that depends on it in two versions.
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as own from '@quiesce/cancellation-token';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
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

test('the copies are two', () => {
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

test('a ClosedError of the other copy is recognised', () => {
  const error = new other.ClosedError('closed');
  expect(error).not.toBeInstanceOf(own.ClosedError);
  expect([own.isClosedError(error), own.isCancelledError(error)]).toEqual([true, false]);
});

test('where there is no setImmediate a message channel gives the turn', async () => {
  const ports = vi.spyOn(globalThis, 'MessageChannel');
  vi.stubGlobal('setImmediate', undefined);
  try {
    // What the platform has is read once, when the module is loaded.
    const bare = (await import(`${file}?bare`)) as typeof own;
    let turn: Promise<void> | undefined;
    for (let i = 0; i < 1_024; i++) turn = bare.consumeBudget();
    await turn;
    expect(ports).toHaveBeenCalledOnce();
  } finally {
    vi.unstubAllGlobals();
    ports.mockRestore();
  }
});
