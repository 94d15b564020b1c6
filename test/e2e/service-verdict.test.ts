// Tests of the demo's verdict, against faulty services: none of them may appear to be correct.
import { createServer } from 'node:http';
import { type AddressInfo, connect, createServer as createNetServer, type Server } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { Census, type Counts } from '../../docs/examples/service/demo/census.ts';
import type { Outcome } from '../../docs/examples/service/demo/drive.ts';
import { type Listener, startListener } from '../../docs/examples/service/demo/listener.ts';
import { findings, verdict } from '../../docs/examples/service/demo/verdict.ts';

const listener: Listener = { received: ['b', 'a'], missed: 0, hasSeenEnd: true, ended: Promise.resolve() };
const counts: Counts = { accepted: 2, reset: 0, cut: 0, whole: 2, newcomersReset: 1, refused: 1 };
const good: Outcome = {
  plan: { seconds: 1, connections: 1, isWithout: false, fault: undefined },
  port: 1,
  ended: { code: 0, signal: null, at: 0 },
  elapsed: 1,
  acknowledged: ['a', 'b'],
  recorded: ['b', 'a'],
  statuses: new Map([[202, 2]]),
  counts,
  listeners: [listener, { ...listener, received: ['a'], missed: 1 }],
  sessions: { opened: 1, dropped: 0 },
  isPortFree: true,
};

it('a correct outcome has no bad finding', () => {
  expect(findings(good).filter(({ isGood }) => !isGood)).toEqual([]);
  expect(verdict(good)).toMatchObject({ isGood: true, text: 'nothing was lost' });
});

it.each<[string, string, Partial<Outcome>]>([
  ['a job is lost', 'jobs, events', { recorded: ['a'] }],
  ['a job is done twice', 'jobs', { recorded: ['a', 'b', 'b'] }],
  ['a job is done that was acknowledged to no client', 'jobs, events', { recorded: ['a', 'b', 'c'] }],
  ['one job is acknowledged twice', 'jobs', { acknowledged: ['a', 'b', 'b'] }],
  ['nothing was done', 'jobs', { acknowledged: [], recorded: [], listeners: [] }],
  ['a connection is reset', 'connections', { counts: { ...counts, reset: 1 } }],
  ['an answer is cut', 'answers', { counts: { ...counts, cut: 1 } }],
  ['an answer says 500', 'answers', { statuses: new Map([[500, 1]]) }],
  ['an event arrives twice, and another one never', 'events', { listeners: [{ ...listener, received: ['a', 'a'] }] }],
  ['an event arrives for an unknown job', 'events', { listeners: [{ ...listener, received: ['a', 'c'] }] }],
  ['a listener does not see the end', 'events', { listeners: [{ ...listener, hasSeenEnd: false }] }],
  ['a connection to the database is dropped', 'database', { sessions: { opened: 2, dropped: 1 } }],
  ['it exits with 1', 'process', { ended: { code: 1, signal: null, at: 0 } }],
  ['it is killed', 'process', { ended: { code: null, signal: 'SIGKILL', at: 0 } }],
  ['it exits with 0 before the signal', 'process', { elapsed: -1 }],
  ['its port is taken', 'port', { isPortFree: false }],
])('the verdict is bad when %s', (_, labels, change) => {
  const outcome = { ...good, ...change };
  const bad = findings(outcome).filter(({ isGood }) => !isGood);
  expect(bad.map(({ label }) => label).join(', ')).toBe(labels);
  expect(verdict(outcome).isGood).toBe(false);
});

async function portOf(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

it.each([
  ['counts as refused when it received nothing after the signal', '', true, { accepted: 0, newcomersReset: 1 }],
  ['counts as reset when it was reset before the signal', '', false, { accepted: 1, reset: 1, newcomersReset: 0 }],
  ['counts as accepted when it received something', 'HTTP/1.1 202', true, { accepted: 1, newcomersReset: 0 }],
])('a connection that the service does not log %s', async (_, bytes, hasSignalled, expected) => {
  const server = createNetServer((socket) => socket.write(bytes, () => setImmediate(() => socket.resetAndDestroy())));
  const port = await portOf(server);
  const census = new Census(port);
  if (hasSignalled) census.signalled();
  const client = connect(port, '127.0.0.1').on('error', () => {});
  await new Promise((resolve) => client.once('close', resolve));
  census.close();
  expect(census.counts()).toMatchObject(expected);
});

it.each([
  ['has seen the end when its answer is complete', (end: () => void) => end(), true],
  ['has not seen the end when it is cut off after the last event', (_: () => void, cut: () => void) => cut(), false],
])('a listener %s', async (_, finish, hasSeenEnd) => {
  const server = createServer((request, response) => {
    const events = [
      'event: hello\ndata:',
      'event: done\ndata: {"id":"a"}',
      'event: missed\ndata: 2',
      'event: end\ndata:',
    ];
    response.write(`${events.join('\n\n')}\n\n`, () => {
      finish(
        () => response.end(),
        () => request.socket.destroy(),
      );
    });
  });
  const heard = await startListener(`http://127.0.0.1:${await portOf(server)}`);
  await heard.ended;
  expect(heard).toMatchObject({ received: ['a'], missed: 2, hasSeenEnd });
});
