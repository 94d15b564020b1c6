// The replay of recordings must never pass because nothing was replayed.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { broadcastChannel } from './replay/broadcast.ts';
import { cancellationToken } from './replay/cancellation-token.ts';
import { type Op, type Recording, readSuite, suitesIn } from './replay/recordings.ts';
import { type Adapter, describeDifferences, replay } from './replay/replay.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'quiesce-recordings-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

function write(content: Partial<Recording>): void {
  const whole = { suite: 'cancellation-token', schema: 1, oracle: 'a test', cases: [], ...content };
  writeFileSync(join(directory, 'cancellation-token.json'), JSON.stringify(whole));
}

function replayed(...ops: Op[]): Promise<string> {
  return replayedBy(cancellationToken, ops);
}

async function replayedBy(adapter: Adapter, ops: Op[]): Promise<string> {
  const cases = [{ id: 'made-up', seed: 7, ops }];
  const recording: Recording = { suite: 'cancellation-token', schema: 1, oracle: 'a test', cases };
  return describeDifferences(await replay(recording, adapter));
}

test('a folder that does not exist is an error', () => {
  expect(() => suitesIn(join(directory, 'nowhere'))).toThrow('no folder of recordings');
});

test('a missing suite is an error', () => {
  expect(() => readSuite(directory, 'cancellation-token')).toThrow('is missing');
});

test('a suite without cases, and a case without operations, is an error', () => {
  write({ cases: [] });
  expect(() => readSuite(directory, 'cancellation-token')).toThrow('holds no case');
  write({ cases: [{ id: 'x', seed: 1, ops: [] }] });
  expect(() => readSuite(directory, 'cancellation-token')).toThrow('holds no operation');
});

test('a file of another suite or schema is an error', () => {
  write({ suite: 'select' });
  expect(() => readSuite(directory, 'cancellation-token')).toThrow('holds the suite select');
  write({ schema: 2 as never });
  expect(() => readSuite(directory, 'cancellation-token')).toThrow('has the schema 2');
});

test('a difference is reported with its case, its seed and its operation', async () => {
  const text = await replayed({ op: 'new', h: 1 }, { op: 'is_cancelled', h: 1, result: true });
  expect(text).toContain('1 of 1 cases differ');
  expect(text).toContain('made-up (seed 7), operation 1: {"op":"is_cancelled","h":1,"result":true}');
  expect(text).toContain('result: Tokio answered true, we false');
});

test('an unknown operation, and a missing answer, are differences', async () => {
  expect(await replayed({ op: 'fly' })).toContain('does not know');
  expect(await replayed({ op: 'new', h: 1, height: 3 })).toContain('height: Tokio answered 3, we undefined');
});

test('a wake that was not recorded is a difference, also for an operation without a list of wakes', async () => {
  const waiting = [
    { op: 'new', h: 1 },
    { op: 'wait', h: 1, w: 2, ready: false },
  ];
  expect(await replayed(...waiting, { op: 'cancel', h: 1, wakes: [2] })).toContain('0 of 1 cases differ');
  expect(await replayed(...waiting, { op: 'cancel', h: 1 })).toContain('wakes: Tokio woke [], we [2]');
});

test.each([
  { tx: 5, isOpen: false },
  { tx: null, isOpen: true },
  { tx: 'something else', isOpen: true },
  { tx: 'something else', isOpen: false },
])('an upgrade that answers $tx is a difference when the channel is open: $isOpen', async ({ tx, isOpen }) => {
  const ops: Op[] = [
    { op: 'channel', cap: 1, tx: 1, rx: 2 },
    { op: 'downgrade', tx: 1, weak: 3 },
    ...(isOpen ? [] : [{ op: 'drop_tx', tx: 1 }]),
    { op: 'upgrade', weak: 3, tx },
  ];
  expect(await replayedBy(broadcastChannel, ops)).toContain(`operation ${ops.length - 1}: {"op":"upgrade"`);
});

test('skipping an operation is a difference when another handle would have seen its effect', async () => {
  const partial: Adapter = { ...cancellationToken, notYet: { run: 'a test', complete_inner: 'a test' } };
  const run = { op: 'run', h: 1, w: 3, ready_at: null, polled: true };
  const waiting = [{ op: 'new', h: 1 }, { op: 'wait', h: 1, w: 2, ready: false }, run];
  const woken = (w: number): Op[] => [...waiting, { op: 'complete_inner', w: 3, wakes: [w] }];
  expect(await replayedBy(partial, woken(3))).toContain('0 of 1 cases differ');
  expect(await replayedBy(partial, woken(2))).toContain('is not replayed, but woke 2');
});
