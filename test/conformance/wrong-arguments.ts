// Every argument and option of every public call, with the values that it accepts: the table of `wrong-arguments.test.ts`.

import { createServer, Server } from 'node:http';
import { expressDrain } from '@quiesce/adapters/express';
import { fastifyDrain } from '@quiesce/adapters/fastify';
import { fetchWith } from '@quiesce/adapters/fetch';
import { honoDrain } from '@quiesce/adapters/hono';
import { koaDrain } from '@quiesce/adapters/koa';
import { nestDrain, ShutdownModule } from '@quiesce/adapters/nest';
import { traced, tracedScope, traceShutdown } from '@quiesce/adapters/opentelemetry';
import { CancellablePool } from '@quiesce/adapters/pg';
import { useScope, useTask } from '@quiesce/adapters/react';
import { drainableSocketIo } from '@quiesce/adapters/socket.io';
import { requestWith } from '@quiesce/adapters/undici';
import { drainableWebSockets } from '@quiesce/adapters/ws';
import { broadcast } from '@quiesce/broadcast-channel';
import {
  CancellationToken,
  checkpoint,
  isCancellation,
  isCancellationOf,
  reportUncaught,
  setUncaughtHandler,
  systemClock,
  wait,
  waiter,
} from '@quiesce/cancellation-token';
import { untilCancelled } from '@quiesce/cancellation-token/internal';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import {
  Barrier,
  channel,
  Mutex,
  Notify,
  OnceCell,
  oneshot,
  RwLock,
  Semaphore,
  unboundedChannel,
  watch,
} from '@quiesce/channel';
import {
  acquireIn,
  effectFromScope,
  effectFromSelect,
  effectFromSource,
  effectFromWork,
  openScope,
  runEffect,
  sourceFromDeferred,
  sourceFromQueue,
  sourceFromStream,
  sourceFromSubscription,
  streamFromBroadcast,
  streamFromChannel,
  streamFromSource,
} from '@quiesce/effect';
import { inFlight, launch, shutdownHook, shutdownLayer } from '@quiesce/effect/node';
import { deadlineFetch, extractDeadline, injectDeadline } from '@quiesce/http-deadline';
import { HttpDrain } from '@quiesce/http-drain';
import { drainable, formatTree, JoinSet, Scope, scope, shield, TaskTracker } from '@quiesce/scope';
import {
  interval,
  intervalAt,
  match,
  moveOnAfter,
  repeat,
  retry,
  select,
  selectEach,
  settle,
  sleep,
  sleepUntil,
  timeout,
  timeoutAt,
  trySelect,
} from '@quiesce/select';
import {
  checkGracePeriod,
  formatLogEvent,
  formatReport,
  type LogEvent,
  logEventToJson,
  reportToJson,
  runMain,
  Shutdown,
  shutdownWithTimeout,
  Terminal,
} from '@quiesce/shutdown';
import { ResourcePool, WorkerPool } from '@quiesce/worker-pool';
import { guardChild, receiveToken, runInPool, shareToken, threadTask } from '@quiesce/worker-pool/node';
import { serveTasks, shareToken as shareOverPort, TaskWorker } from '@quiesce/worker-pool/web';
import { Effect, Layer, Stream } from 'effect';
import { Pool } from 'pg';
import { createElement } from 'react';
import { renderToString } from 'react-dom/server';
import { Server as SocketIoServer } from 'socket.io';
import { Agent } from 'undici';
import { WebSocketServer } from 'ws';

import { fleetRows } from './wrong-arguments-fleet.ts';

// biome-ignore lint/suspicious/noExplicitAny: the calls are wrong on purpose
type Wrong = any;

/** The kinds of values that an argument accepts. */
export type Kind =
  | 'time'
  | 'period'
  | 'count'
  | 'count from 0'
  | 'limit'
  | 'limit from 0'
  | 'whole'
  | 'number'
  | 'factor'
  | 'function'
  | 'signal'
  | 'options'
  | 'source'
  | 'branch'
  | 'branches'
  | 'promise'
  | 'work'
  | 'list'
  | 'functions'
  | 'text'
  | 'name'
  | 'boolean'
  | 'clock'
  | 'date'
  | 'moment'
  | 'choice'
  | 'object'
  | 'resource'
  | 'key'
  | 'reason'
  | 'far'
  | 'short'
  | 'from 1'
  | 'since'
  | 'range'
  | 'headers'
  | 'none';

/** One argument or option: the name of the call in errors, the accepted kind, and a function that passes a value. */
export type Row = readonly [call: string, kind: Kind, run: (value: Wrong) => unknown, mayBeMissing?: 'optional'];

const noop = (): void => {};
const optional = 'optional';

const signalRow = (call: string, run: (options: Wrong) => unknown, option = 'signal'): Row[] => [
  [`${call}: ${option}`, 'signal', (value) => run({ [option]: value }), optional],
];
const clockRow = (call: string, run: (options: Wrong) => unknown): Row[] => [
  [`${call}: clock`, 'clock', (value) => run({ clock: value }), optional],
];
const timeRow = (call: string, run: (options: Wrong) => unknown, ...options: string[]): Row[] =>
  options.map((option) => [`${call}: ${option}`, 'time', (value) => run({ [option]: value }), optional]);
const backoffRows = (call: string, run: (options: Wrong) => unknown): Row[] => [
  ...timeRow(call, run, 'delay'),
  [`${call}: factor`, 'factor', (factor) => run({ factor }), optional],
  [`${call}: jitter`, 'choice', (jitter) => run({ jitter }), optional],
  [`${call}: random`, 'function', (random) => run({ random }), optional],
];
const textRow = (call: string, run: (options: Wrong) => unknown, option = 'name'): Row[] => [
  [`${call}: ${option}`, 'text', (value) => run({ [option]: value }), optional],
];
const booleanRow = (call: string, run: (options: Wrong) => unknown, ...options: string[]): Row[] =>
  options.map((option) => [`${call}: ${option}`, 'boolean', (value) => run({ [option]: value }), optional]);
const optionsRow = (call: string, run: (options: Wrong) => unknown): Row[] => [[call, 'options', run, optional]];

/** The rows of a method with a signal and a time limit. */
const waitRows = (call: string, run: (options: Wrong) => unknown): Row[] => [
  ...optionsRow(call, run),
  ...signalRow(call, run),
  ...timeRow(call, run, 'timeout'),
  [`${call}: clock`, 'clock', (clock) => run({ clock, timeout: 5 }), optional],
];

const token = new CancellationToken();
const ready = CancellationToken.alreadyCancelled('ready');
const [tx, rx] = channel<number>(16);
const [btx, brx] = broadcast<number>(16);
const clock = new VirtualClock();

const tokens: Row[] = [
  ...optionsRow('new CancellationToken', (options) => new CancellationToken(options)),
  ...textRow('new CancellationToken', (options) => new CancellationToken(options)),
  ['CancellationToken.from', 'signal', (value) => CancellationToken.from(value)],
  ['CancellationToken.any', 'list', (value) => CancellationToken.any(value)],
  ['CancellationToken.any', 'signal', (value) => CancellationToken.any([token, value])],
  ['CancellationToken.any', 'none', (value) => (CancellationToken.any as Wrong)([token], value)],
  ['CancellationToken.all', 'list', (value) => CancellationToken.all(value)],
  ['CancellationToken.all', 'signal', (value) => CancellationToken.all([value])],
  ['CancellationToken.timeout', 'time', (value) => CancellationToken.timeout(value)],
  ...optionsRow('CancellationToken.timeout', (options) => CancellationToken.timeout(5, options)),
  ...clockRow('CancellationToken.timeout', (options) => CancellationToken.timeout(5, options)),
  ...optionsRow('childToken', (options) => token.childToken(options)),
  ...textRow('childToken', (options) => token.childToken(options)),
  ['withTimeout', 'time', (value) => token.withTimeout(value)],
  ...optionsRow('withTimeout', (options) => token.withTimeout(5, options)),
  ...clockRow('withTimeout', (options) => token.withTimeout(5, options)),
  ['withDeadline', 'date', (value) => token.withDeadline(value)],
  ...optionsRow('withDeadline', (options) => token.withDeadline(new Date(), options)),
  ...clockRow('withDeadline', (options) => token.withDeadline(new Date(), options)),
  ['renewable', 'time', (value) => token.renewable(value)],
  ...optionsRow('renewable', (options) => token.renewable(5, options)),
  ...clockRow('renewable', (options) => token.renewable(5, options)),
  ...textRow('renewable', (options) => token.renewable(5, options)),
  ['renewable: since', 'since', (since) => token.renewable(5, { since }), optional],
  ['renewable: reason', 'function', (reason) => token.renewable(5, { reason }), optional],
  ...booleanRow('renewable', (options) => token.renewable(5, options), 'wall'),
  ['renew', 'time', (value) => token.renewable(5).renew(value)],
  ['renew', 'since', (value) => token.renewable(5).renew(5, value), optional],
  ['onCancelled', 'function', (value) => token.onCancelled(value)],
  ['runUntilCancelled', 'work', (value) => token.runUntilCancelled(value)],
  ['checkpoint', 'signal', (value) => checkpoint(value), optional],
  ['isCancellation', 'signal', (value) => isCancellation(new Error('x'), value), optional],
  ['isCancellationOf', 'signal', (value) => isCancellationOf(new Error('x'), value)],
  ['untilCancelled', 'signal', (value) => untilCancelled(value, token)],
  ['untilCancelled', 'source', (value) => untilCancelled(token, value)],
  ['wait', 'source', (value) => wait(value)],
  ['waiter', 'function', (value) => waiter(value)],
  ['setUncaughtHandler', 'function', (value) => setUncaughtHandler(value), optional],
  ...optionsRow('reportUncaught', (options) =>
    reportUncaught(new Error('not reported'), options === undefined ? null : options),
  ),
  ['setTimer', 'time', (value) => systemClock.clearTimer(systemClock.setTimer(value, noop, { ref: false }))],
  ['advance', 'time', (value) => clock.advance(value)],
  ['suspend', 'time', (value) => clock.suspend(value)],
  ['run', 'function', (value) => clock.run(value)],
  ['new VirtualClock', 'number', (value) => new VirtualClock(value), optional],
];

const channels: Row[] = [
  ['broadcast', 'count', (value) => broadcast(value)],
  ['broadcast', 'none', (value) => (broadcast as Wrong)(16, value)],
  ['broadcast.sender', 'count', (value) => broadcast.sender(value)],
  ['channel', 'count', (value) => channel(value)],
  ['channel', 'none', (value) => (channel as Wrong)(16, value)],
  ['unboundedChannel', 'none', (value) => (unboundedChannel as Wrong)(value)],
  ['oneshot', 'none', (value) => (oneshot as Wrong)(value)],
  ['watch', 'none', (value) => (watch as Wrong)(0, value)],
  ...optionsRow('recv', (options) => brx.recv(options)),
  ...signalRow('recv', (options) => brx.recv(options)),
  ['recvMany', 'count', (value) => brx.recvMany(value)],
  ...optionsRow('recvMany', (options) => brx.recvMany(5, options)),
  ...signalRow('recvMany', (options) => brx.recvMany(5, options)),
  ...optionsRow('values', (options) => brx.values(options)),
  ...signalRow('values', (options) => brx.values(options)),
  ['values: onLag', 'choice', (onLag) => brx.values({ onLag }), optional],
  ['sameChannel', 'object', (value) => btx.sameChannel(value)],
  ...waitRows('send', (options) => tx.send(5, options)),
  ...waitRows('reserve', (options) => tx.reserve(options)),
  ['reserveMany', 'count from 0', (value) => tx.reserveMany(value)],
  ...waitRows('reserveMany', (options) => tx.reserveMany(3, options)),
  ['tryReserveMany', 'count from 0', (value) => tx.tryReserveMany(value)],
  ['sameChannel', 'object', (value) => tx.sameChannel(value)],
  ...waitRows('recv', (options) => rx.recv(options)),
  ['recvMany', 'count', (value) => rx.recvMany(value)],
  ...waitRows('recvMany', (options) => rx.recvMany(5, options)),
  ...optionsRow('values', (options) => rx.values(options)),
  ...signalRow('values', (options) => rx.values(options)),
  ...waitRows('recv', (options) => oneshot<number>()[1].recv(options)),
  ...waitRows('changed', (options) => watch(0)[1].changed(options)),
  ['waitFor', 'function', (value) => watch(0)[1].waitFor(value)],
  ...waitRows('waitFor', (options) => watch(0)[1].waitFor(() => false, options)),
  ...optionsRow('values', (options) => watch(0)[1].values(options)),
  ...signalRow('values', (options) => watch(0)[1].values(options)),
  ['sendModify', 'function', (value) => watch(0)[0].sendModify(value)],
  ['sendIfModified', 'function', (value) => watch(0)[0].sendIfModified(value)],
  ['new Semaphore', 'count from 0', (value) => new Semaphore(value)],
  ...waitRows('acquire', (options) => new Semaphore(0).acquire(options)),
  ['acquireMany', 'count from 0', (value) => new Semaphore(5).acquireMany(value)],
  ...waitRows('acquireMany', (options) => new Semaphore(5).acquireMany(3, options)),
  ['tryAcquireMany', 'count from 0', (value) => new Semaphore(5).tryAcquireMany(value)],
  ['addPermits', 'count from 0', (value) => new Semaphore(5).addPermits(value)],
  ['forgetPermits', 'count from 0', (value) => new Semaphore(5).forgetPermits(value)],
  ['split', 'count from 0', async (value) => (await new Semaphore(9).acquireMany(8)).split(value)],
  ['merge', 'object', async (value) => (await new Semaphore(9).acquireMany(8)).merge(value)],
  ['new Mutex', 'none', (value) => new (Mutex as Wrong)(value)],
  ...waitRows('acquire', (options) => new Mutex().acquire(options)),
  ...optionsRow('new RwLock', (options) => new RwLock(options)),
  ['new RwLock: maxReaders', 'count', (maxReaders) => new RwLock({ maxReaders }), optional],
  ...waitRows('read', (options) => new RwLock().read(options)),
  ...waitRows('write', (options) => new RwLock().write(options)),
  ...waitRows('notified', (options) => new Notify().notified(options)),
  ['new Barrier', 'count from 0', (value) => new Barrier(value)],
  ...waitRows('wait', (options) => new Barrier(2).wait(options)),
  ['new OnceCell', 'none', (value) => new (OnceCell as Wrong)(value)],
  ['getOrInit', 'function', (value) => new OnceCell<number>().getOrInit(value)],
  ...waitRows('getOrInit', (options) => new OnceCell<number>().getOrInit(() => 1, options)),
];

const branches = { ready };
const selects: Row[] = [
  ...(['select', 'selectEach', 'trySelect'] as const).flatMap((call): Row[] => {
    const fn: Wrong = { select, selectEach, trySelect }[call];
    const rows = (name: string, run: Wrong): Row[] => [
      [name, 'branches', (value) => run(value)],
      [name, 'branch', (value) => run({ one: value })],
      [`${name}: else`, 'function', (value) => run({ one: token, else: value }), optional],
    ];
    const settings = (name: string, run: Wrong): Row[] => [
      ...optionsRow(name, (options) => run(branches, options)),
      ...signalRow(name, (options) => run(branches, options)),
      ...timeRow(name, (options) => run(branches, options), 'cleanupTimeout'),
      [`${name}: clock`, 'clock', (value) => run(branches, { clock: value, cleanupTimeout: 5 }), optional],
    ];
    return [
      ...rows(call, fn),
      ...rows(`${call}.biased`, fn.biased),
      [`${call}: random`, 'function', (random) => fn(branches, { random }), optional],
      ...(call === 'trySelect' ? [] : [...settings(call, fn), ...settings(`${call}.biased`, fn.biased)]),
    ];
  }),
  ...optionsRow('trySelect', (options) => trySelect(branches, options)),
  ...(['timeout', 'moveOnAfter'] as const).flatMap((call): Row[] => {
    const fn: Wrong = { timeout, moveOnAfter }[call];
    return [
      [call, 'time', (value) => fn(value, () => 1)],
      [call, 'work', (value) => fn(5, value)],
      ...optionsRow(call, (options) => fn(5, () => 1, options)),
      ...signalRow(call, (options) => fn(5, () => 1, options)),
      ...clockRow(call, (options) => fn(5, () => 1, options)),
      [`${call}: abandon`, 'choice', (abandon) => fn(5, () => 1, { abandon }), optional],
    ];
  }),
  ['timeoutAt', 'date', (value) => timeoutAt(value, () => 1)],
  ['timeoutAt', 'work', (value) => timeoutAt(new Date(), value)],
  ...optionsRow('timeoutAt', (options) => timeoutAt(new Date(), () => 1, options)),
  ...signalRow('timeoutAt', (options) => timeoutAt(new Date(), () => 1, options)),
  ...clockRow('timeoutAt', (options) => timeoutAt(new Date(), () => 1, options)),
  ['sleep', 'time', (value) => sleep(value)],
  ...optionsRow('sleep', (options) => sleep(5, options)),
  ...clockRow('sleep', (options) => sleep(5, options)),
  ['sleep', 'none', (value) => (sleep as Wrong)(1, undefined, value)],
  ['Sleep.reset', 'time', (value) => sleep(5).reset(value)],
  ['Sleep.resetAt', 'moment', (value) => sleep(5).resetAt(value)],
  ['sleepUntil', 'moment', (value) => sleepUntil(value)],
  ...optionsRow('sleepUntil', (options) => sleepUntil(5, options)),
  ...clockRow('sleepUntil', (options) => sleepUntil(5, options)),
  ['interval', 'period', (value) => interval(value)],
  ...optionsRow('interval', (options) => interval(5, options)),
  ...clockRow('interval', (options) => interval(5, options)),
  ['interval: missed', 'choice', (missed) => interval(5, { missed }), optional],
  ['interval', 'none', (value) => (interval as Wrong)(1, undefined, value)],
  ['intervalAt', 'moment', (value) => intervalAt(value, 5)],
  ['intervalAt', 'period', (value) => intervalAt(5, value)],
  ...optionsRow('intervalAt', (options) => intervalAt(5, 5, options)),
  ['Interval.resetAfter', 'time', (value) => interval(5).resetAfter(value)],
  ['Interval.resetAt', 'moment', (value) => interval(5).resetAt(value)],
  ['match', 'branch', (value) => match(value)],
  ['match', 'function', (value) => match(token, value), optional],
  ['settle', 'branch', (value) => settle(value)],
  ['repeat', 'function', (value) => repeat(value)],
  ['retry', 'function', (value) => retry(value)],
  ...optionsRow('retry', (options) => retry(noop, options)),
  ...signalRow('retry', (options) => retry(noop, options)),
  ...clockRow('retry', (options) => retry(noop, options)),
  ...timeRow('retry', (options) => retry(noop, options), 'timeout', 'totalTimeout', 'maxDelay'),
  ['retry: attempts', 'limit', (attempts) => retry(noop, { attempts }), optional],
  ...backoffRows('retry', (options) => retry(noop, options)),
  ['retry: retryIf', 'function', (retryIf) => retry(noop, { retryIf }), optional],
  ['retry: onRetry', 'function', (onRetry) => retry(noop, { onRetry }), optional],
];

const inScope = (run: (s: Scope) => unknown): Promise<unknown> => scope(async (s) => run(s));
const withScopeOptions = (call: string, run: (options: Wrong) => unknown): Row[] => [
  ...optionsRow(call, run),
  ...signalRow(call, run),
  ...signalRow(call, run, 'stopSignal'),
  ...textRow(call, run),
  ...timeRow(call, run, 'timeout', 'cleanupTimeout'),
  [`${call}: deadline`, 'date', (deadline) => run({ deadline }), optional],
  ...clockRow(call, run),
  ...booleanRow(call, run, 'spawnSites', 'leakDetection'),
];
const spawnRows = (call: string, run: (options: Wrong) => unknown): Row[] => [
  ...optionsRow(call, run),
  ...textRow(call, run),
  ...booleanRow(call, run, 'daemon'),
  [`${call}: onConflict`, 'choice', (onConflict) => run({ onConflict }), optional],
  [`${call}: onFailure`, 'choice', (onFailure) => run({ onFailure }), optional],
  ...restartRows(`${call}: restart`, (restart) => run({ restart })),
];
const restartRows = (call: string, run: (options: Wrong) => unknown): Row[] => [
  ...optionsRow(call, run),
  ...timeRow(call, run, 'within', 'maxDelay'),
  ...backoffRows(call, run),
  [`${call}: when`, 'choice', (when) => run({ when }), optional],
  [`${call}: limit`, 'limit from 0', (limit) => run({ limit }), optional],
  [`${call}: restartIf`, 'function', (restartIf) => run({ restartIf }), optional],
  [`${call}: onRestart`, 'function', (onRestart) => run({ onRestart }), optional],
];

const mapRows = (call: 'map' | 'mapUnordered'): Row[] => {
  const withOptions = (options: Wrong): unknown => inScope((s) => s[call]([1], noop, options));
  return [
    [call, 'list', (value) => inScope((s) => s[call](value, noop))],
    [call, 'function', (value) => inScope((s) => s[call]([1], value))],
    ...optionsRow(call, withOptions),
    ...textRow(call, withOptions),
    ...timeRow(call, withOptions, 'timeout'),
    ...signalRow(call, withOptions, 'stopSignal'),
    [`${call}: onProgress`, 'function', (onProgress) => withOptions({ onProgress }), optional],
    [`${call}: concurrency`, 'limit', (concurrency) => withOptions({ concurrency }), optional],
  ];
};

const functions = { inFlightCount: () => 0, stop: noop, drain: async () => {} };

const scopes: Row[] = [
  ['scope', 'function', (value) => scope(value)],
  ...withScopeOptions('scope', (options) => scope(noop, options)),
  ...withScopeOptions('new Scope', (options) => new Scope(options).close()),
  ['shield', 'function', (value) => shield(value)],
  ...optionsRow('shield', (options) => shield(noop, options)),
  ...textRow('shield', (options) => shield(noop, options)),
  ...timeRow('shield', (options) => shield(noop, options), 'timeout', 'cleanupTimeout'),
  ...clockRow('shield', (options) => shield(noop, options)),
  ['spawn', 'function', (value) => inScope((s) => s.spawn(value))],
  ...spawnRows('spawn', (options) => inScope((s) => s.spawn(noop, options))),
  ['start', 'function', (value) => inScope((s) => s.start(value))],
  ...spawnRows('start', (options) => inScope((s) => s.start((_, up: Wrong) => up(1), options))),
  ...mapRows('map'),
  ...mapRows('mapUnordered'),
  ['race', 'functions', (value) => inScope((s) => s.race(value))],
  ['race', 'function', (value) => inScope((s) => s.race([value]))],
  ['race', 'none', (value) => inScope((s) => (s as Wrong).race([noop], value))],
  ['any', 'functions', (value) => inScope((s) => s.any(value))],
  ['any', 'function', (value) => inScope((s) => s.any([value]))],
  ['use', 'function', (value) => inScope((s) => s.use({}, value === undefined ? null : value)), optional],
  ['use', 'resource', (value) => inScope((s) => s.use(value))],
  ...optionsRow('use', (options) => inScope((s) => s.use({}, noop, options))),
  ...textRow('use', (options) => inScope((s) => s.use({}, noop, options))),
  ['defer', 'function', (value) => inScope((s) => s.defer(value))],
  ...optionsRow('defer', (options) => inScope((s) => s.defer(noop, options))),
  ...textRow('defer', (options) => inScope((s) => s.defer(noop, options))),
  ...optionsRow('new JoinSet', (options) => new JoinSet(options)),
  ...signalRow('new JoinSet', (options) => new JoinSet(options)),
  ...textRow('new JoinSet', (options) => new JoinSet(options)),
  ['spawn', 'function', (value) => new JoinSet().spawn(value)],
  ...optionsRow('spawn', (options) => new JoinSet().spawn(noop, options)),
  ...textRow('spawn', (options) => new JoinSet().spawn(noop, options)),
  ['extend', 'list', (value) => new JoinSet().extend(value)],
  ['extend', 'function', (value) => new JoinSet().extend([value])],
  ...optionsRow('new TaskTracker', (options) => new TaskTracker(options)),
  ...textRow('new TaskTracker', (options) => new TaskTracker(options)),
  ...booleanRow('new TaskTracker', (options) => new TaskTracker(options), 'leakDetection'),
  ['track', 'promise', (value) => new TaskTracker().track(value)],
  ['spawn', 'function', (value) => new TaskTracker().spawn(value)],
  ['drain', 'signal', (value) => new TaskTracker().drain(value)],
  ['formatTree', 'object', (value) => formatTree(value)],
  ['drainable', 'options', (value) => drainable(value)],
  ['drainable: name', 'name', (name) => drainable({ ...functions, name })],
  ...Object.keys(functions).map((option): Row => {
    return [`drainable: ${option}`, 'function', (value) => drainable({ name: 'part', ...functions, [option]: value })];
  }),
  ...['announce', 'abort', 'inFlightNames', 'isAccepting'].map((option): Row => {
    const run = (value: Wrong): unknown => drainable({ name: 'part', ...functions, [option]: value });
    return [`drainable: ${option}`, 'function', run, optional];
  }),
  ['drain', 'signal', (value) => drainable({ name: 'part', ...functions }).drain(value)],
];

const server = (): Wrong => createServer();
const shutdownTimes = ['readinessDelay', 'drainTimeout', 'cancelTimeout', 'hookTimeout', 'timeout', 'forceTimeout'];
const podTimes = ['terminationGracePeriodSeconds', 'preStopSeconds', 'periodSeconds', 'failureThreshold'];
const newShutdown = (options: Wrong): Shutdown => new Shutdown(options);
const hookWith = (options: Wrong): unknown => new Shutdown().hook('db', noop, options);
const noWork = { state: 'draining', inFlightCount: 0, elapsedMs: 0, waitingFor: [] } as const;
const logEvent: LogEvent = { level: 'info', event: 'progress', ...noWork };
const part = { name: 'part', inFlightCount: 0, stop: noop, drain: async () => {} };

/** The rows that the drains of all HTTP frameworks share. */
const appDrainRows = (call: string, run: Wrong): Row[] => {
  const withOptions = (options: Wrong): unknown =>
    run(
      server(),
      options instanceof Object && !Array.isArray(options) ? { shutdown: new Shutdown(), ...options } : options,
    );
  return [
    [call, 'object', (value) => run(value, { shutdown: new Shutdown() })],
    [call, 'options', (options) => run(server(), options)],
    [`${call}: shutdown`, 'object', (shutdown) => run(server(), { shutdown })],
    ...textRow(call, withOptions),
    ...timeRow(call, withOptions, 'idleGrace', 'cleanupTimeout'),
    ...(['readyPath', 'livePath'] as const).map(
      (path): Row => [`${call}: ${path}`, 'name', (value) => withOptions({ [path]: value }), optional],
    ),
    [`${call}: retryAfter`, 'whole', (retryAfter) => withOptions({ retryAfter }), optional],
    [`${call}: refuse`, 'function', (refuse) => withOptions({ refuse }), optional],
    [`${call}: upgraded`, 'function', (upgraded) => withOptions({ upgraded }), optional],
    [`${call}: deadline`, 'boolean', (deadline) => withOptions({ deadline }), optional],
    [`${call}: deadline: maxTimeout`, 'time', (maxTimeout) => withOptions({ deadline: { maxTimeout } }), optional],
    ...clockRow(call, withOptions),
  ];
};

// Made by each row: importing this file must not need a runtime with these libraries.
const db = (): CancellablePool => new CancellablePool(new Pool());
const agent = (): Agent => new Agent();
const newPool = (options: Wrong): unknown => new CancellablePool(new Pool(), options);
const webSockets = (options: Wrong): unknown => drainableWebSockets(new WebSocketServer({ noServer: true }), options);
const socketIo = (options: Wrong): unknown => drainableSocketIo(new SocketIoServer(server()), options);
const fetches = (options: Wrong): unknown => fetchWith(CancellationToken.never, options);
const requests = (options: Wrong): unknown => requestWith(CancellationToken.never, agent(), options);

const clients: Row[] = [
  ['drainableWebSockets', 'object', (value) => drainableWebSockets(value)],
  ['drainableWebSockets', 'options', webSockets, optional],
  ['drainableWebSockets: name', 'name', (name) => webSockets({ name }), optional],
  ['drainableWebSockets: code', 'range', (code) => webSockets({ code }), optional],
  ['drainableWebSockets: reason', 'text', (reason) => webSockets({ reason }), optional],
  ['drainableWebSockets: beforeClose', 'function', (beforeClose) => webSockets({ beforeClose }), optional],
  ...timeRow('drainableWebSockets', webSockets, 'closeTimeout'),
  ...clockRow('drainableWebSockets', webSockets),
  ['drainableSocketIo', 'object', (value) => drainableSocketIo(value)],
  ['drainableSocketIo', 'options', socketIo, optional],
  ['drainableSocketIo: name', 'name', (name) => socketIo({ name }), optional],
  ...timeRow('drainableSocketIo', socketIo, 'closeTimeout'),
  ...clockRow('drainableSocketIo', socketIo),
  ['new CancellablePool', 'object', (value) => new CancellablePool(value)],
  ['new CancellablePool', 'options', newPool, optional],
  ...textRow('new CancellablePool', newPool),
  ...timeRow('new CancellablePool', newPool, 'cleanupTimeout'),
  ...clockRow('new CancellablePool', newPool),
  ['query', 'signal', (signal) => db().query(signal, 'select 1')],
  ['query', 'text', (query) => db().query(CancellationToken.never, query)],
  ['transaction', 'signal', (signal) => db().transaction(signal, noop)],
  ['transaction', 'function', (work) => db().transaction(CancellationToken.never, work)],
  ['withClient', 'signal', (signal) => db().withClient(signal, noop)],
  ['withClient', 'function', (work) => db().withClient(CancellationToken.never, work)],
  ['fetchWith', 'signal', (signal) => fetchWith(signal)],
  ['fetchWith', 'options', fetches, optional],
  ['fetchWith: deadline', 'boolean', (deadline) => fetches({ deadline }), optional],
  ['fetchWith: deadline: header', 'name', (header) => fetches({ deadline: { header } }), optional],
  ['fetchWith: deadline: margin', 'time', (margin) => fetches({ deadline: { margin } }), optional],
  ['fetchWith: fetch', 'function', (fetch) => fetches({ fetch }), optional],
  ['requestWith', 'signal', (signal) => requestWith(signal, agent())],
  ['requestWith', 'object', (dispatcher) => requestWith(CancellationToken.never, dispatcher)],
  ['requestWith', 'options', requests, optional],
  ['requestWith: deadline', 'boolean', (deadline) => requests({ deadline }), optional],
  ['requestWith: deadline: header', 'name', (header) => requests({ deadline: { header } }), optional],
  ['requestWith: deadline: margin', 'time', (margin) => requests({ deadline: { margin } }), optional],
];

/** Drains an app of Nest that has nothing but a server. */
const nestApp = (server: Wrong, options: Wrong): unknown => {
  const parts = {
    getHttpAdapter: noop,
    getHttpServer: () => server,
    use: noop,
    useGlobalInterceptors: noop,
    close: noop,
  };
  return nestDrain(server instanceof Server ? (parts as Wrong) : server, options);
};

/** Calls a hook of React in a component. */
const inComponent = (run: () => unknown): unknown =>
  renderToString(
    createElement(() => {
      run();
      return null;
    }),
  );

const traces: Row[] = [
  ['traced', 'text', (name) => traced(name, noop)],
  ['traced', 'function', (work) => traced('work', work)],
  ...optionsRow('traced', (options) => traced('work', noop, options)),
  ['traced: tracer', 'object', (tracer) => traced('work', noop, { tracer }), optional],
  ['tracedScope', 'text', (name) => tracedScope(name, noop)],
  ['tracedScope', 'function', (body) => tracedScope('scope', body)],
  ...optionsRow('tracedScope', (options) => tracedScope('scope', noop, options)),
  ...signalRow('tracedScope', (options) => tracedScope('scope', noop, options)),
  ...signalRow('tracedScope', (options) => tracedScope('scope', noop, options), 'stopSignal'),
  ...timeRow('tracedScope', (options) => tracedScope('scope', noop, options), 'timeout', 'cleanupTimeout'),
  ...clockRow('tracedScope', (options) => tracedScope('scope', noop, options)),
  ['tracedScope: deadline', 'date', (deadline) => tracedScope('scope', noop, { deadline }), optional],
  ['tracedScope: tracer', 'object', (tracer) => tracedScope('scope', noop, { tracer }), optional],
  ['traceShutdown', 'object', (value) => traceShutdown(value)],
  ...optionsRow('traceShutdown', (options) => traceShutdown(new Shutdown(), options)),
  ['traceShutdown: tracer', 'object', (tracer) => traceShutdown(new Shutdown(), { tracer }), optional],
  ['traceShutdown: meter', 'object', (meter) => traceShutdown(new Shutdown(), { meter }), optional],
  ['traceShutdown: flush', 'function', (flush) => traceShutdown(new Shutdown(), { flush }), optional],
];

const components: Row[] = [
  ...optionsRow('useScope', (options) => inComponent(() => useScope(options))),
  ...textRow('useScope', (options) => inComponent(() => useScope(options))),
  ...timeRow('useScope', (options) => inComponent(() => useScope(options)), 'cleanupTimeout'),
  ['useTask', 'function', (work) => inComponent(() => useTask(work, []))],
  ['useTask', 'list', (deps) => inComponent(() => useTask(noop, deps))],
  ...optionsRow('useTask', (options) => inComponent(() => useTask(noop, [], options))),
  ...textRow('useTask', (options) => inComponent(() => useTask(noop, [], options))),
  ...timeRow('useTask', (options) => inComponent(() => useTask(noop, [], options)), 'delay', 'cleanupTimeout'),
];

const services: Row[] = [
  ...appDrainRows('expressDrain', expressDrain),
  ...appDrainRows('koaDrain', koaDrain),
  ...appDrainRows('honoDrain', honoDrain),
  ...appDrainRows('nestDrain', nestApp),
  ['ShutdownModule.forRoot', 'options', (options) => ShutdownModule.forRoot(options)],
  ['ShutdownModule.forRoot: shutdown', 'object', (shutdown) => ShutdownModule.forRoot({ shutdown })],
  // Fastify itself passes the app.
  ...appDrainRows('fastifyDrain', fastifyDrain).slice(1),
  ['injectDeadline', 'headers', (headers) => injectDeadline(headers, token)],
  ['injectDeadline', 'signal', (signal) => injectDeadline({}, signal)],
  ...optionsRow('injectDeadline', (options) => injectDeadline({}, token, options)),
  ['injectDeadline: header', 'name', (header) => injectDeadline({}, token, { header }), optional],
  ...timeRow('injectDeadline', (options) => injectDeadline({}, token, options), 'margin'),
  ['extractDeadline', 'headers', (headers) => extractDeadline(headers)],
  ...optionsRow('extractDeadline', (options) => extractDeadline({}, options)),
  ...signalRow('extractDeadline', (options) => extractDeadline({}, options)),
  ...timeRow('extractDeadline', (options) => extractDeadline({}, options), 'maxTimeout'),
  ...textRow('extractDeadline', (options) => extractDeadline({}, options)),
  ...clockRow('extractDeadline', (options) => extractDeadline({}, options)),
  ['extractDeadline: since', 'number', (since) => extractDeadline({}, { maxTimeout: 5, since }), optional],
  ['deadlineFetch', 'function', (value) => deadlineFetch(value), optional],
  ...optionsRow('deadlineFetch', (options) => deadlineFetch(undefined, options)),
  ['deadlineFetch: header', 'name', (header) => deadlineFetch(undefined, { header }), optional],
  ...timeRow('deadlineFetch', (options) => deadlineFetch(undefined, options), 'margin'),
  ['new HttpDrain', 'object', (value) => new HttpDrain(value)],
  ...optionsRow('new HttpDrain', (options) => new HttpDrain(server(), options)),
  ...textRow('new HttpDrain', (options) => new HttpDrain(server(), options)),
  ...signalRow('new HttpDrain', (options) => new HttpDrain(server(), options)),
  ...timeRow('new HttpDrain', (options) => new HttpDrain(server(), options), 'idleGrace', 'cleanupTimeout'),
  ['new HttpDrain: retryAfter', 'whole', (retryAfter) => new HttpDrain(server(), { retryAfter }), optional],
  ['new HttpDrain: refuse', 'function', (refuse) => new HttpDrain(server(), { refuse }), optional],
  ['new HttpDrain: upgraded', 'function', (upgraded) => new HttpDrain(server(), { upgraded }), optional],
  ['new HttpDrain: deadline', 'boolean', (deadline) => new HttpDrain(server(), { deadline }), optional],
  [
    'new HttpDrain: deadline: maxTimeout',
    'time',
    (maxTimeout) => new HttpDrain(server(), { deadline: { maxTimeout } }),
    optional,
  ],
  ...clockRow('new HttpDrain', (options) => new HttpDrain(server(), options)),
  ['http.drain', 'signal', (value) => new HttpDrain(server()).drain(value)],
  ['http.tokenOf', 'object', (value) => new HttpDrain(server()).tokenOf(value)],
  ...optionsRow('new Shutdown', newShutdown),
  ['new Shutdown: name', 'name', (name) => new Shutdown({ name }), optional],
  ...signalRow('new Shutdown', newShutdown),
  ...timeRow('new Shutdown', newShutdown, ...shutdownTimes, 'finalTimeout', 'progressInterval'),
  ...clockRow('new Shutdown', newShutdown),
  ['new Shutdown: logger', 'choice', (logger) => new Shutdown({ logger }), optional],
  ...booleanRow('new Shutdown', newShutdown, 'leakDetection', 'watchdog', 'systemd'),
  ['hook', 'name', (value) => new Shutdown().hook(value, noop)],
  ['hook "db"', 'function', (value) => new Shutdown().hook('db', value)],
  ...optionsRow('hook "db"', hookWith),
  ['hook "db": phase', 'choice', (phase) => hookWith({ phase }), optional],
  ['hook "db": priority', 'number', (priority) => hookWith({ priority }), optional],
  ['hook "db": after', 'list', (after) => hookWith({ after }), optional],
  ...timeRow('hook "db"', hookWith, 'timeout'),
  ['add', 'object', (value) => new Shutdown().add(value)],
  ['add', 'name', (name) => new Shutdown().add({ ...part, name })],
  ['add: announce', 'function', (announce) => new Shutdown().add({ ...part, announce }), optional],
  ['add: abort', 'function', (abort) => new Shutdown().add({ ...part, abort }), optional],
  ...optionsRow('add', (options) => new Shutdown().add(part, options)),
  ['add: tree', 'function', (tree) => new Shutdown().add(part, { tree }), optional],
  ['guard', 'name', (value) => new Shutdown().guard(value)],
  ...optionsRow('install', (options) => new Shutdown().install(options)),
  ['install: signals', 'functions', (signals) => new Shutdown().install({ signals }), optional],
  ['install: process', 'object', (process) => new Shutdown().install({ process }), optional],
  ['install: signalDebounce', 'time', (value) => new Shutdown().install({ signalDebounce: value }).dispose(), optional],
  ...booleanRow(
    'install',
    (options) => new Shutdown().install(options).dispose(),
    ...['errors', 'disconnect', 'reportSignal'],
  ),
  ['runMain', 'function', (value) => runMain(value)],
  ...optionsRow('runMain', (options) => runMain(noop, options)),
  ['runMain: onInterrupted', 'choice', (onInterrupted) => runMain(noop, { onInterrupted }), optional],
  ...timeRow('runMain', (options) => runMain(noop, { ...options, nope: 1 } as Wrong), 'flushTimeout'),
  ...signalRow('runMain', (options) => runMain(noop, options)),
  ['runMain: logger', 'choice', (logger) => runMain(noop, { logger }), optional],
  ['runMain: name', 'name', (name) => runMain(noop, { name }), optional],
  ['runMain: process', 'object', (process) => runMain(noop, { process }), optional],
  ['runMain: signals', 'functions', (signals) => runMain(noop, { signals }), optional],
  ...timeRow('runMain', (options) => runMain(noop, options), ...shutdownTimes, 'progressInterval', 'signalDebounce'),
  ['shutdownWithTimeout', 'function', (value) => shutdownWithTimeout(value, 5)],
  ['shutdownWithTimeout', 'time', (value) => shutdownWithTimeout(noop, value)],
  ...optionsRow('shutdownWithTimeout', (options) => shutdownWithTimeout(noop, 5, options)),
  ...timeRow('shutdownWithTimeout', (options) => shutdownWithTimeout(noop, 5, options), 'cleanupTimeout'),
  ...clockRow('shutdownWithTimeout', (options) => shutdownWithTimeout(noop, 5, options)),
  ['formatReport', 'object', (value) => formatReport(value)],
  ['reportToJson', 'object', (value) => reportToJson(value)],
  ['formatLogEvent', 'object', (value) => formatLogEvent(value)],
  ...optionsRow('formatLogEvent', (options) => formatLogEvent(logEvent, options)),
  ...booleanRow('formatLogEvent', (options) => formatLogEvent(logEvent, options), 'colours', 'oneLine'),
  ['logEventToJson', 'object', (value) => logEventToJson(value)],
  ...optionsRow('formatReport', (options) => formatReport(new Shutdown().report(), options)),
  ...booleanRow('formatReport', (options) => formatReport(new Shutdown().report(), options), 'colours'),
  ...optionsRow('checkGracePeriod', (options) => checkGracePeriod(options)),
  ...timeRow('checkGracePeriod', (options) => checkGracePeriod(options), ...shutdownTimes, 'flushTimeout', ...podTimes),
  ['new Terminal', 'object', (value) => new Terminal(value)],
];

const workers = (): WorkerPool => new WorkerPool({ concurrency: 1 });
const resources = (): ResourcePool<number> => new ResourcePool({ create: async () => 1, max: 1 });
const poolWith = (options: Wrong): unknown => new WorkerPool({ concurrency: 1, ...options });
const resourcesWith = (options: Wrong): unknown => new ResourcePool({ create: () => 1, max: 1, ...options });
const piscina: Wrong = { run: async () => 1 };
const port: Wrong = { postMessage: noop, close: noop };

const pools: Row[] = [
  ['new WorkerPool', 'options', (value) => new WorkerPool(value)],
  ['new WorkerPool: concurrency', 'limit', (concurrency) => new WorkerPool({ concurrency })],
  ...textRow('new WorkerPool', poolWith),
  ...timeRow('new WorkerPool', poolWith, 'timeout', 'cleanupTimeout'),
  ...clockRow('new WorkerPool', poolWith),
  ['new WorkerPool: capacity', 'limit from 0', (capacity) => poolWith({ capacity }), optional],
  ['new WorkerPool: whenFull', 'choice', (whenFull) => poolWith({ whenFull }), optional],
  ['execute', 'function', (value) => workers().execute(value)],
  ...optionsRow('execute', (options) => workers().execute(noop, options)),
  ...signalRow('execute', (options) => workers().execute(noop, options)),
  ...timeRow('execute', (options) => workers().execute(noop, options), 'timeout'),
  ...textRow('execute', (options) => workers().execute(noop, options)),
  ['execute: priority', 'number', (priority) => workers().execute(noop, { priority }), optional],
  ['drain', 'signal', (value) => workers().drain(value)],
  ['shutdown', 'options', (value) => workers().shutdown(value)],
  ['shutdown: timeout', 'time', (value) => workers().shutdown({ timeout: value })],
  [
    'shutdown: cleanupTimeout',
    'time',
    (cleanupTimeout) => workers().shutdown({ timeout: 0, cleanupTimeout }),
    optional,
  ],
  ['new ResourcePool', 'options', (value) => new ResourcePool(value)],
  ['new ResourcePool: create', 'function', (create) => new ResourcePool({ create, max: 1 })],
  ['new ResourcePool: close', 'function', (close) => resourcesWith({ close }), optional],
  ['new ResourcePool: isUsable', 'function', (isUsable) => resourcesWith({ isUsable }), optional],
  ['new ResourcePool: max', 'limit', (max) => new ResourcePool({ create: () => 1, max })],
  ...textRow('new ResourcePool', resourcesWith),
  ...timeRow('new ResourcePool', resourcesWith, 'closeTimeout'),
  ...clockRow('new ResourcePool', resourcesWith),
  ...booleanRow('new ResourcePool', resourcesWith, 'leakDetection'),
  ...optionsRow('acquire', (options) => resources().acquire(options)),
  ...signalRow('acquire', (options) => resources().acquire(options)),
  ...timeRow('acquire', (options) => resources().acquire(options), 'timeout'),
  ['use', 'function', (value) => resources().use(value)],
  ['drain', 'signal', (value) => resources().drain(value)],
  ['shutdown', 'options', (value) => resources().shutdown(value)],
  ['shutdown: timeout', 'time', (value) => resources().shutdown({ timeout: value })],
  ['runInPool', 'object', (value) => runInPool(value, 1)],
  ...optionsRow('runInPool', (options) => runInPool(piscina, 1, options)),
  ...signalRow('runInPool', (options) => runInPool(piscina, 1, options)),
  ...timeRow('runInPool', (options) => runInPool(piscina, 1, options), 'cleanupTimeout'),
  ...textRow('runInPool', (options) => runInPool(piscina, 1, options)),
  ['runInPool: transferList', 'list', (transferList) => runInPool(piscina, 1, { transferList }), optional],
  ['guardChild', 'object', (value) => guardChild(value, { signal: token })],
  ['guardChild: signal', 'signal', (value) => guardChild({} as Wrong, { signal: value })],
  ['shareToken', 'signal', (value) => shareToken(value)],
  ['receiveToken', 'object', (value) => receiveToken(value)],
  ['threadTask', 'function', (value) => threadTask(value)],
  ...optionsRow('shareToken', (options) => shareOverPort(token, options)),
  ...booleanRow('shareToken', (options) => shareOverPort(token, options), 'sharedMemory'),
  ['serveTasks', 'function', (value) => serveTasks(value)],
  ...optionsRow('serveTasks', (options) => serveTasks(() => 1, options)),
  ['serveTasks: transferList', 'function', (transferList) => serveTasks(() => 1, { transferList, port }), optional],
  ['serveTasks: port', 'object', (port) => serveTasks(() => 1, { port }), optional],
  ['new TaskWorker', 'object', (value) => new TaskWorker(value)],
  ...optionsRow('new TaskWorker', (options) => new TaskWorker(port, options)),
  ...textRow('new TaskWorker', (options) => new TaskWorker(port, options)),
  ...timeRow('new TaskWorker', (options) => new TaskWorker(port, options), 'cleanupTimeout'),
  ...clockRow('new TaskWorker', (options) => new TaskWorker(port, options)),
  ...optionsRow('run', (options) => new TaskWorker(port).run(1, options)),
  ...signalRow('run', (options) => new TaskWorker(port).run(1, options)),
  ['run: transferList', 'list', (transferList) => new TaskWorker(port).run(1, { transferList }), optional],
];

const catching = (call: string, run: (options: Wrong) => unknown): Row[] => [
  ...optionsRow(call, run),
  [`${call}: catch`, 'function', (value) => run({ catch: value }), optional],
];

const effects: Row[] = [
  ['effectFromWork', 'function', (value) => effectFromWork(value)],
  ...catching('effectFromWork', (options) => effectFromWork(noop, options)),
  ['effectFromWork: onLate', 'function', (onLate) => effectFromWork(noop, { onLate }), optional],
  ['effectFromSource', 'source', (value) => effectFromSource(value)],
  ...catching('effectFromSource', (options) => effectFromSource(token, options)),
  ['streamFromSource', 'source', (value) => streamFromSource(value)],
  ['streamFromChannel', 'source', (value) => streamFromChannel(value)],
  ['streamFromBroadcast', 'source', (value) => streamFromBroadcast(value)],
  ...catching('streamFromSource', (options) => streamFromSource(token, options)),
  ['effectFromSelect', 'function', (value) => effectFromSelect(value)],
  ...catching('effectFromSelect', (options) => effectFromSelect(() => branches, options)),
  ['effectFromSelect: random', 'function', (random) => effectFromSelect(() => branches, { random }), optional],
  ...booleanRow('effectFromSelect', (options) => effectFromSelect(() => branches, options), 'biased'),
  ['effectFromScope', 'function', (value) => effectFromScope(value)],
  ...catching('effectFromScope', (options) => effectFromScope(noop, options)),
  ...optionsRow('openScope', (options) => openScope(options)),
  ['runEffect', 'object', (value) => runEffect(value)],
  ...optionsRow('runEffect', (options) => runEffect(Effect.void, options)),
  ...signalRow('runEffect', (options) => runEffect(Effect.void, options)),
  ['runEffect: context', 'object', (context) => runEffect(Effect.void, { context } as Wrong), optional],
  ['acquireIn', 'object', (value) => acquireIn(value, Effect.void)],
  ['acquireIn', 'object', (value) => inScope((s) => acquireIn(s, value))],
  ...optionsRow('acquireIn', (options) => inScope((s) => acquireIn(s, Effect.void, options))),
  ['sourceFromDeferred', 'object', (value) => sourceFromDeferred(value)],
  ['sourceFromQueue', 'object', (value) => sourceFromQueue(value)],
  ['sourceFromStream', 'object', (value) => sourceFromStream(value)],
  ...optionsRow('sourceFromStream', (options) => sourceFromStream(Stream.empty, options)),
  ['sourceFromSubscription', 'object', (value) => sourceFromSubscription(value)],
  ['inFlight', 'object', (value) => inFlight('work', value)],
  ['shutdownHook', 'object', (value) => shutdownHook('hook', value)],
  ['launch', 'object', (value) => launch(value, Layer.empty)],
  ['launch', 'object', (value) => launch(new Shutdown(), value)],
  ...optionsRow('launch', (options) => launch(new Shutdown(), Layer.empty, options)),
  ['shutdownLayer', 'object', (value) => shutdownLayer(value)],
];

/** All rows, by package. */
export const rows: Readonly<Record<string, readonly Row[]>> = {
  ...{ tokens, channels, selects, scopes, services, clients, pools, effects, traces, components, fleets: fleetRows },
};

/** Makes a call that has taken a value. */
export const receive = (): Promise<number> => rx.recv();

/** The handles that the rows share, and the number of their values. */
export const state = (): unknown => [token.head, rx.length, brx.length];
for (const n of [1, 2, 3]) {
  tx.trySend(n);
  btx.send(n);
}
