// The rows of @quiesce/fleet in the table of `wrong-arguments.test.ts`.

import {
  createPostgresSchema,
  encodeReason,
  type Fleet,
  fleetKey,
  joinFleet,
  memoryEngine,
  natsEngine,
  postgresEngine,
  postgresSchema,
  redisEngine,
} from '@quiesce/fleet';
import { faulty } from '@quiesce/fleet/testing';
import { Shutdown } from '@quiesce/shutdown';
import type { Row } from './wrong-arguments.ts';

// biome-ignore lint/suspicious/noExplicitAny: the calls are wrong on purpose
type Wrong = any;

const optional = 'optional';
const engine = memoryEngine();
const pool = { query: async () => ({ rows: [] }) };

/** Calls a fleet of its own. */
async function withFleet(call: (fleet: Fleet) => unknown, options?: Wrong): Promise<void> {
  await using fleet = await joinFleet({ engine: memoryEngine(), ...options });
  await call(fleet);
}
const join = (options: Wrong): Promise<void> => withFleet(() => {}, options);
const run = (options: Wrong): Promise<void> => withFleet((fleet) => fleet.run('a', () => 1, options));
const cancel = (options: Wrong): Promise<void> => withFleet((fleet) => fleet.cancel('a', 1, options));
const lease = (options: Wrong): Promise<void> => withFleet((fleet) => fleet.lease('a', () => 1, options));
const attach = (options: Wrong): Promise<void> =>
  withFleet((fleet) => fleet.attach(new Shutdown({ logger: false }), options));
const slot = (options: Wrong): Promise<void> => attach({ slot: { name: 'a', ...options } });

/** Clients that nothing is asked of. */
const redis: Wrong = { duplicate: () => redis, sendCommand: () => {} };
const connection: Wrong = { rtt: () => {}, status: () => [] };
const kv: Wrong = { create: () => {} };

export const fleetRows: Row[] = [
  ['fleetKey', 'key', (value) => fleetKey(value)],
  ['encodeReason', 'reason', (value) => encodeReason(value)],
  ['memoryEngine', 'options', (options) => memoryEngine(options), optional],
  ['memoryEngine: clock', 'clock', (clock) => memoryEngine({ clock }), optional],
  ['postgresEngine', 'object', (value) => postgresEngine(value)],
  ['postgresEngine', 'options', (options) => postgresEngine(pool, options), optional],
  ['postgresEngine: schema', 'object', (schema) => postgresEngine(pool, { schema }), optional],
  ['postgresEngine: listen', 'function', (listen) => postgresEngine(pool, { listen }), optional],
  ['postgresEngine: poll', 'range', (poll) => postgresEngine(pool, { poll }), optional],
  ['postgresSchema', 'options', (options) => postgresSchema(options), optional],
  ['postgresSchema: schema', 'object', (schema) => postgresSchema({ schema }), optional],
  ['createPostgresSchema', 'object', (value) => createPostgresSchema(value)],
  ['createPostgresSchema', 'options', (options) => createPostgresSchema(pool, options), optional],
  ['createPostgresSchema: schema', 'object', (schema) => createPostgresSchema(pool, { schema }), optional],
  ['redisEngine: client', 'object', (client) => redisEngine(client)],
  ['redisEngine', 'options', (options) => redisEngine(redis, options), optional],
  ['redisEngine: poll', 'range', (poll) => redisEngine(redis, { poll }), optional],
  ['natsEngine', 'object', (options) => natsEngine(options)],
  ['natsEngine: connection', 'object', (value) => natsEngine({ connection: value, kv })],
  ['natsEngine: kv', 'object', (value) => natsEngine({ connection, kv: value })],
  ['faulty', 'object', (value) => faulty(value)],
  ['faulty', 'options', (options) => faulty(engine, options), optional],
  ['faulty: clock', 'clock', (clock) => faulty(engine, { clock }), optional],
  ['delay', 'time', (value) => faulty(engine).delay(value), optional],
  ['joinFleet', 'options', (options) => joinFleet(options)],
  ['joinFleet: engine', 'object', (value) => join({ engine: value })],
  ['joinFleet: namespace', 'name', (namespace) => join({ namespace }), optional],
  ['joinFleet: node', 'name', (node) => join({ node }), optional],
  ['joinFleet: member', 'boolean', (member) => join({ member }), optional],
  ['joinFleet: reread', 'range', (reread) => join({ reread }), optional],
  ['joinFleet: memberTtl', 'far', (memberTtl) => join({ memberTtl }), optional],
  ['joinFleet: lostFor', 'time', (lostFor) => join({ lostFor }), optional],
  ['joinFleet: requestTimeout', 'range', (requestTimeout) => join({ requestTimeout }), optional],
  ['joinFleet: joinTimeout', 'time', (joinTimeout) => join({ joinTimeout }), optional],
  ['joinFleet: retention', 'range', (retention) => join({ retention }), optional],
  ['joinFleet: clock', 'clock', (clock) => join({ clock }), optional],
  ['run', 'key', (key) => withFleet((fleet) => fleet.run(key, () => 1))],
  ['run', 'function', (work) => withFleet((fleet) => fleet.run('a', work))],
  ['run', 'options', run, optional],
  ['run: signal', 'signal', (signal) => run({ signal }), optional],
  ['run: unreachable', 'far', (unreachable) => run({ unreachable }), optional],
  ['token', 'key', (key) => withFleet((fleet) => fleet.token(key))],
  ['cancel', 'key', (key) => withFleet((fleet) => fleet.cancel(key))],
  ['cancel', 'reason', (reason) => withFleet((fleet) => fleet.cancel('a', reason))],
  ['cancel', 'options', cancel, optional],
  ['cancel: until', 'choice', (until) => cancel({ until }), optional],
  ['cancel: timeout', 'from 1', (timeout) => cancel({ timeout }), optional],
  ['cancel: ttl', 'range', (ttl) => cancel({ ttl }), optional],
  ['cancel: signal', 'signal', (signal) => cancel({ signal }), optional],
  ['lease', 'name', (name) => withFleet((fleet) => fleet.lease(name, () => 1))],
  ['lease', 'function', (work) => withFleet((fleet) => fleet.lease('a', work))],
  ['lease', 'options', lease, optional],
  ['lease: permits', 'count', (permits) => lease({ permits }), optional],
  ['lease: ttl', 'range', (ttl) => lease({ ttl }), optional],
  ['lease: expiryMargin', 'short', (expiryMargin) => lease({ expiryMargin }), optional],
  ['lease: timeout', 'time', (timeout) => lease({ timeout }), optional],
  ['lease: signal', 'signal', (signal) => lease({ signal }), optional],
  ['drain', 'signal', (signal) => withFleet((fleet) => fleet.drain(signal))],
  ['attach', 'object', (shutdown) => withFleet((fleet) => fleet.attach(shutdown))],
  ['attach', 'options', attach, optional],
  ['attach: slot', 'options', (value) => attach({ slot: value }), optional],
  ['attach: slot', 'name', (name) => slot({ name })],
  ['attach: slot: permits', 'count', (permits) => slot({ permits }), optional],
  ['attach: slot: ttl', 'range', (ttl) => slot({ ttl }), optional],
  ['attach: slot: timeout', 'time', (timeout) => slot({ timeout }), optional],
];
