// Random operations of several clients against a naive model, which predicts the bytes that each connection receives.
import { CancellationToken } from '@quiesce/cancellation-token';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Client, type Gate, gate, type Served, serve, stopped, turns } from './vocabulary.ts';

type Phase = 'running' | 'stopping' | 'draining';

interface ModelRequest {
  readonly id: number;
  readonly isRefused: boolean;
  readonly answer: Gate;
  isAnswered: boolean;
  /** Whether its response has Connection: close. */
  isLast: boolean;
  isFinished: boolean;
}

/** One connection in the model. */
class ModelConnection {
  readonly client: Client;
  readonly requests: ModelRequest[] = [];
  isEnded = false;
  hasLeft = false;

  constructor(client: Client) {
    this.client = client;
  }

  get isBusy(): boolean {
    return this.requests.some(({ isFinished }) => !isFinished);
  }
}

class Model {
  phase: Phase = 'running';
  readonly connections: ModelConnection[] = [];
  readonly tally = { completedCount: 0, refusedCount: 0, disconnectedCount: 0, endedCount: 0, arrivedAfterFinCount: 0 };
  ids = 0;

  get inFlightCount(): number {
    const open = this.connections.filter(({ hasLeft }) => !hasLeft).flatMap(({ requests }) => requests);
    return open.filter(({ isFinished }) => !isFinished).length;
  }

  /** A request arrives. */
  send(on: ModelConnection): ModelRequest | undefined {
    const last = on.requests.at(-1);
    if (on.isEnded || (last?.isAnswered && last.isLast)) {
      if (this.phase !== 'running') this.tally.arrivedAfterFinCount++;
      return undefined;
    }
    const isRefused = this.phase === 'draining';
    const answer = gate();
    const request = { id: this.ids++, isRefused, answer, isAnswered: false, isLast: false, isFinished: false };
    on.requests.push(request);
    if (isRefused) {
      this.tally.refusedCount++;
      this.answer(on, request);
    }
    return request;
  }

  /** A response is complete. It is sent after all earlier ones. */
  answer(on: ModelConnection, request: ModelRequest): void {
    request.isAnswered = true;
    request.isLast = this.phase !== 'running' && on.requests.at(-1) === request;
    for (const next of on.requests) {
      if (!next.isAnswered) return;
      if (!next.isFinished && !next.isRefused && this.phase !== 'running') this.tally.completedCount++;
      next.isFinished = true;
    }
    // A head that was written before stopping began has keep-alive.
    on.isEnded = on.requests.at(-1)?.isLast === true;
  }

  leave(on: ModelConnection): void {
    on.hasLeft = true;
    on.isEnded = true;
    if (this.phase !== 'running')
      this.tally.disconnectedCount += on.requests.filter(({ isFinished }) => !isFinished).length;
  }

  sweep(): void {
    for (const connection of this.connections) {
      if (connection.isEnded || connection.isBusy) continue;
      connection.isEnded = true;
      this.tally.endedCount++;
    }
  }
}

const step = fc.record({
  act: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom('send' as const, 'answer' as const) },
    { weight: 2, arbitrary: fc.constantFrom('connect' as const, 'leave' as const) },
    { weight: 1, arbitrary: fc.constantFrom('announce' as const, 'stop' as const, 'advance' as const) },
  ),
  pick: fc.nat(30),
});
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

it('each connection receives the bytes that the model predicts, and the report adds up, in any order of events', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const gates = new Map<string, Promise<void>>();
      const served = await serve(async (request, response) => {
        await gates.get(request.url ?? '');
        response.end(`<${request.url}>`);
      });
      const model = new Model();
      model.connections.push(new ModelConnection(await served.client()));
      for (const { act, pick } of steps) {
        await apply(act, pick, served, model, gates);
        while (served.http.inFlightCount !== model.inFlightCount) await turns(1);
        await turns();
      }
      for (const on of model.connections.filter(({ hasLeft }) => !hasLeft)) {
        for (const request of on.requests.filter(({ isAnswered }) => !isAnswered)) {
          request.answer.open();
          model.answer(on, request);
        }
      }
      while (served.http.inFlightCount !== model.inFlightCount) await turns(1);
      if (model.phase !== 'draining') await stop(served, model);
      await turns();
      model.sweep();
      await served.clock.advance(2_000);
      await served.http.drain(CancellationToken.never);
      for (const on of model.connections.filter(({ hasLeft }) => !hasLeft)) {
        expect(await on.client.ended).toBe('end');
        expect(answers(on.client.text)).toEqual(
          on.requests.map(({ id, isRefused }) => (isRefused ? '503' : `</${id}>`)),
        );
      }
      expect(served.http.report()).toMatchObject({ ...model.tally, cancelledCount: 0, destroyed: [] });
      expect(served.clock.pendingCount).toBe(0);
    }),
    { numRuns: 300 },
  );
}, 60_000);

async function apply(
  act: Step['act'],
  pick: number,
  served: Served<unknown>,
  model: Model,
  gates: Map<string, Promise<void>>,
): Promise<void> {
  const open = model.connections.filter(({ hasLeft }) => !hasLeft);
  const on = open[pick % Math.max(1, open.length)];
  if (act === 'connect' && model.phase !== 'draining') {
    model.connections.push(new ModelConnection(await served.client()));
  } else if (act === 'announce' && model.phase === 'running') {
    served.http.announce();
    model.phase = 'stopping';
  } else if (act === 'stop' && model.phase !== 'draining') {
    await stop(served, model);
  } else if (act === 'advance' && model.phase === 'draining') {
    model.sweep();
    await served.clock.advance(1_000);
  }
  if (on === undefined) return;
  if (act === 'send') {
    // After our FIN and the end of the client nothing can be sent.
    if (on.isEnded) return;
    const request = model.send(on);
    gates.set(`/${request?.id}`, request?.answer ?? Promise.resolve());
    on.client.get(`/${request?.id}`);
  } else if (act === 'answer') {
    const waiting = on.requests.filter(({ isAnswered }) => !isAnswered);
    const request = waiting[pick % Math.max(1, waiting.length)];
    if (request === undefined) return;
    request.answer.open();
    model.answer(on, request);
  } else if (act === 'leave') {
    model.leave(on);
    on.client.socket.destroy();
  }
}

async function stop(served: Served<unknown>, model: Model): Promise<void> {
  await stopped(served);
  model.phase = 'draining';
}

/** Returns the responses, in order: the path of each, or 503. */
function answers(text: string): string[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d+).*?\r\n\r\n(<\/\d+>)?/gs)].map(
    ([, status, path]) => path ?? String(status),
  );
}
