// An unknown option throws, with its name and the call that the user wrote.
import { JoinSet, Scope, scope, shield, TaskTracker } from '@quiesce/scope';
import { expect, it } from 'vitest';
import { rejection } from './vocabulary.ts';

const any = (value: unknown): never => value as never;

it.each<[call: string, act: (s: Scope) => unknown, text: string]>([
  ['scope', () => scope(() => {}, any({ token: 1 })), 'scope: there is no option "token"; did you mean "signal"?'],
  ['scope', () => scope(() => {}, any({ timeOut: 1 })), 'scope: there is no option "timeOut"; did you mean "timeout"?'],
  [
    'scope',
    () => scope(() => {}, any({ timeout: '5s' })),
    'scope: timeout must be milliseconds from 0 to Infinity, got the string "5s"',
  ],
  ['scope', () => scope(() => {}, any({ cleanupTimeout: -1 })), 'scope: cleanupTimeout must be'],
  [
    'scope',
    () => scope(() => {}, any({ deadline: 'soon' })),
    'scope: deadline: expected a valid Date, got the string "soon"',
  ],
  ['new Scope', () => new Scope(any({ tokn: 1 })), 'new Scope: there is no option "tokn"'],
  ['shield', () => shield(() => {}, any({ signal: 1 })), 'shield: there is no option "signal"'],
  ['shield', () => shield(() => {}, any({ timeout: null })), 'shield: timeout must be'],
  [
    'spawn',
    (s) => s.spawn(() => {}, any({ deamon: true })),
    'spawn: there is no option "deamon"; did you mean "daemon"?',
  ],
  ['start', (s) => s.start(() => {}, any({ nam: '' })), 'start: there is no option "nam"; did you mean "name"?'],
  [
    'map',
    (s) => s.map([], () => {}, any({ limit: 2 })),
    'map: there is no option "limit"; the options are "name", "concurrency"',
  ],
  [
    'map',
    (s) => s.map([], () => {}, any({ concurrency: '2' })),
    'map: concurrency must be an integer from 1, or Infinity, got the string "2"',
  ],
  ['use', (s) => s.use({}, () => {}, any({ nam: '' })), 'use: there is no option "nam"'],
  ['defer', (s) => s.defer(() => {}, any({ phase: '' })), 'defer: there is no option "phase"'],
  ['JoinSet', () => new JoinSet(any({ token: 1 })), 'new JoinSet: there is no option "token"; did you mean "signal"?'],
  ['JoinSet.spawn', () => new JoinSet().spawn(() => {}, any({ key: 1 })), 'spawn: there is no option "key"'],
  [
    'drain',
    () => new TaskTracker().drain(any(5000)),
    'drain: expected an AbortSignal or a CancellationToken, got the number 5000; write CancellationToken.timeout(5000)',
  ],
  [
    'drain',
    () => new TaskTracker().drain(any(undefined)),
    'got undefined; write CancellationToken.timeout(10_000), or CancellationToken.never for no limit',
  ],
  ['TaskTracker', () => new TaskTracker(any({ nam: '' })), 'new TaskTracker: there is no option "nam"'],
])('%s throws for a wrong option: %#', async (_, act, text) => {
  const failure = await rejection(scope(async (s) => act(s)));
  expect(failure).toBeInstanceOf(Error);
  expect((failure as Error).message).toContain(text);
});
