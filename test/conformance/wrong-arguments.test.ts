// A wrong argument throws at the wrong call: a TypeError for its type, or a RangeError for a number or a date out of its range. The
// error names the call and the option as the user wrote them, and shows the value with its type. Nothing is left behind.
import * as express from '@quiesce/adapters/express';
import * as fastify from '@quiesce/adapters/fastify';
import * as fetching from '@quiesce/adapters/fetch';
import * as hono from '@quiesce/adapters/hono';
import * as koa from '@quiesce/adapters/koa';
import * as nest from '@quiesce/adapters/nest';
import * as opentelemetry from '@quiesce/adapters/opentelemetry';
import * as pg from '@quiesce/adapters/pg';
import * as react from '@quiesce/adapters/react';
import * as socketIo from '@quiesce/adapters/socket.io';
import * as undici from '@quiesce/adapters/undici';
import * as ws from '@quiesce/adapters/ws';
import * as broadcast from '@quiesce/broadcast-channel';
import * as token from '@quiesce/cancellation-token';
import * as channel from '@quiesce/channel';
import * as effect from '@quiesce/effect';
import * as fleet from '@quiesce/fleet';
import * as fleetTesting from '@quiesce/fleet/testing';
import * as httpDeadline from '@quiesce/http-deadline';
import * as http from '@quiesce/http-drain';
import * as scope from '@quiesce/scope';
import * as select from '@quiesce/select';
import * as shutdown from '@quiesce/shutdown';
import * as pool from '@quiesce/worker-pool';
import * as node from '@quiesce/worker-pool/node';
import * as web from '@quiesce/worker-pool/web';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { turn } from './tokio-tests/vocabulary.ts';
import { type Kind, type Row, receive, rows, state } from './wrong-arguments.ts';

const frameworks = { ...express, ...fastify, ...hono, ...koa, ...nest };
const clients = { ...fetching, ...pg, ...react, ...socketIo, ...undici, ...ws };
const adapters = { ...frameworks, ...clients, ...opentelemetry };
const fleets = { ...fleet, ...fleetTesting };
const exported = {
  broadcast,
  token,
  channel,
  effect,
  http,
  httpDeadline,
  scope,
  select,
  shutdown,
  pool,
  node,
  web,
  adapters,
  fleets,
};
const date = new Date(0);
/** The values passed, by the text with which an error shows them. */
const values: [shown: string, value: unknown][] = [
  ['undefined', undefined],
  ['null', null],
  ['the number 0', 0],
  ['the number 5', 5],
  ['the number -1', -1],
  ['the number 1.5', 1.5],
  ['the number NaN', Number.NaN],
  ['the number Infinity', Number.POSITIVE_INFINITY],
  ['the number 1e+300', 1e300],
  ['the string "5"', '5'],
  ['the string ""', ''],
  ['the boolean true', true],
  ['an array', [1]],
  ['the function "named"', function named() {}],
  ['a Promise', Promise.resolve(1)],
  ['a Date', date],
  [' Date', new Date(Number.NaN)],
  ['an AbortController', new AbortController()],
  ['a Map', new Map()],
  ['the bigint 5', 5n],
  ['the symbol Symbol(x)', Symbol('x')],
];

/** The values that each kind accepts. */
const accepts: Record<Kind, (value: unknown) => boolean> = {
  time: (value) => typeof value === 'number' && value >= 0,
  period: (value) => typeof value === 'number' && value > 0,
  count: (value) => value === 5,
  'count from 0': (value) => value === 5 || value === 0,
  limit: (value) => value === 5 || value === Number.POSITIVE_INFINITY || value === 1e300,
  'limit from 0': (value) => value === 5 || value === 0 || value === Number.POSITIVE_INFINITY || value === 1e300,
  factor: (value) => typeof value === 'number' && value >= 1,
  whole: (value) => value === 5 || value === 0,
  number: (value) => typeof value === 'number' && (Number.isFinite(value) || value > 0),
  function: (value) => typeof value === 'function',
  signal: () => false,
  // An object with a `signal` counts as options.
  options: (value) => value instanceof AbortController,
  source: () => false,
  branch: (value) => value === undefined || value === null || typeof value === 'function' || value instanceof Promise,
  branches: () => false,
  promise: (value) => value instanceof Promise,
  work: (value) => typeof value === 'function' || value instanceof Promise,
  list: (value) => Array.isArray(value) || value instanceof Map,
  // A list is rejected for its items.
  functions: (value) => Array.isArray(value) || value instanceof Map,
  text: (value) => typeof value === 'string',
  name: (value) => value === '5',
  boolean: (value) => value === true,
  clock: () => false,
  date: (value) => value === date,
  moment: (value) => value === date || (typeof value === 'number' && !Number.isNaN(value)),
  choice: (value) => value === true || typeof value === 'function',
  object: () => false,
  // A later item is rejected later.
  resource: (value) => value instanceof Promise,
  key: (value) => value === '5' || Array.isArray(value),
  reason: (value) => value === null || Array.isArray(value) || (typeof value !== 'object' && isJson(value)),
  far: (value) => value === Number.POSITIVE_INFINITY || value === 1e300,
  short: (value) => typeof value === 'number' && value >= 0 && value < 10,
  'from 1': (value) => value === 5 || value === 1.5,
  // A clock that has run for 5 ms.
  since: (value) => typeof value === 'number' && value <= 5,
  // A range that has none of the numbers.
  range: () => false,
  headers: (value) => value instanceof Map,
  none: (value) => value === undefined,
};

/** Whether JSON keeps a value that is no object. */
function isJson(value: unknown): boolean {
  return value === undefined || ['string', 'boolean'].includes(typeof value) || Number.isFinite(value);
}

/** The kinds that take a number. */
const numbers: Kind[] = [
  ...([
    'time',
    'period',
    'count',
    'count from 0',
    'limit',
    'limit from 0',
    'factor',
    'whole',
    'number',
    'far',
  ] as const),
  ...(['short', 'from 1', 'since', 'range', 'moment'] as const),
];

/** Whether a wrong value has the right type, so that only its range is wrong. */
function isOfType(kind: Kind, value: unknown): boolean {
  if (value instanceof Date) return kind === 'date' || kind === 'moment';
  return typeof value === 'number' && numbers.includes(kind);
}

/** The class of the error. The content of a text may be a matter of its type, or of its range. */
function classOf(kind: Kind, value: unknown): RegExp {
  if (typeof value === 'string' && !numbers.includes(kind)) return /^(Type|Range)Error$/;
  return isOfType(kind, value) ? /^RangeError$/ : /^TypeError$/;
}

/** A mistake that is likely: the promise of a receive instead of the receiver, or of its value. */
const isGivenBack: Kind[] = ['function', 'functions', 'signal', 'branches', 'list', 'date', ...numbers];

/** Returns the error that a call throws, or with which it rejects before it does anything else, or `undefined`. */
async function failure(run: () => unknown): Promise<unknown> {
  const called = (async () => run())().then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  const ended = await Promise.race([called, turn()]);
  return (ended as { error: unknown } | undefined)?.error;
}

const unhandled: unknown[] = [];
const note = (error: unknown): void => void unhandled.push(error);
beforeAll(() => void process.on('unhandledRejection', note));
afterAll(() => void process.off('unhandledRejection', note));

describe.each(Object.entries(rows))('%s', (_, table) => {
  const cases = table.map((row, index): [string, number, Row] => [`${row[0]}, ${row[1]}`, index, row]);
  test.each(cases)('%s (row %d)', async (_name, _index, [call, kind, run, missing]) => {
    const [wrong, before]: [string[], unknown] = [[], state()];
    for (const [shown, value] of values) {
      if ((missing !== undefined && value === undefined) || accepts[kind](value)) continue;
      const error = await failure(() => run(value));
      const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      if (error === undefined) wrong.push(`${shown} is accepted`);
      else if (!classOf(kind, value).test((error as Error).name)) wrong.push(`${shown}: ${text}`);
      else if (!(error as Error).message.startsWith(call) || !/^[: ]/.test((error as Error).message.slice(call.length)))
        wrong.push(`${shown}: does not begin with the call: ${text}`);
      else if (!(error as Error).message.includes(shown)) wrong.push(`${shown}: does not show it: ${text}`);
    }
    // One extra case: it returns the value that it has taken.
    if (isGivenBack.includes(kind)) await failure(() => run(receive()));
    await turn();
    expect(wrong).toEqual([]);
    expect([unhandled.splice(0), state()]).toEqual([[], before]);
  });
});

/** Calls that accept any value, or none. */
const exempt = [
  // Part of the source protocol, for libraries.
  ...['consumeBudget', 'consumeSlice', 'asSource', 'asFailingSource', 'sourcePromise'],
  ...['isSource', 'isCancelledError', 'isClosedError', 'isTimeoutError', 'branchOf', 'StreamSource'],
  ...['causeFromError', 'errorFromCause', 'reasonFromCause'],
  ...['Notify', 'Scope', 'checkSignals', 'parentToken'],
  ...['decodeReason', 'FaultyEngine'],
  ...['InjectToken', 'ShutdownModule', 'useToken'],
];

describe('the table lists every exported call', () => {
  const calls = new Set(Object.values(rows).flatMap((table) => table.flatMap(([call]) => call.split(/[:\s"]+/))));

  test.each(Object.entries(exported))('of %s', (_, module) => {
    const missing: string[] = [];
    for (const [name, value] of Object.entries(module)) {
      if (typeof value !== 'function' || value.prototype instanceof Error || exempt.includes(name)) continue;
      const members = Object.entries(value).filter(([, member]) => typeof member === 'function');
      for (const call of [name, ...members.map(([member]) => `${name}.${member}`)]) {
        if (!calls.has(call)) missing.push(call);
      }
    }
    expect(missing).toEqual([]);
  });
});
