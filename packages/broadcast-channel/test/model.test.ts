// Random operations against a naive model: a log of all values, and for each receiver a number.
import { broadcast, type Receiver, type Sender } from '@quiesce/broadcast-channel';
import { CancellationToken } from '@quiesce/cancellation-token';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { turn } from './vocabulary.ts';

type Answer = { value: number } | { lagged: number } | 'closed' | 'cancelled' | 'pending';

class ModelReceiver {
  position: number;
  closed = false;
  /** The receives that wait, in order. */
  waiting: ModelRecv[] = [];

  constructor(position: number) {
    this.position = position;
  }
}

interface ModelRecv {
  answer: Answer;
}

class Model {
  readonly kept: number;
  readonly log: number[] = [];
  /** For each value the receivers that have yet to read it. */
  readonly readers: Set<ModelReceiver>[] = [];
  readonly receivers: ModelReceiver[] = [];
  senders = 1;

  constructor(capacity: number) {
    this.kept = 1;
    while (this.kept < capacity) this.kept *= 2;
  }

  get open(): ModelReceiver[] {
    return this.receivers.filter((rx) => !rx.closed);
  }

  get oldest(): number {
    return Math.max(0, this.log.length - this.kept);
  }

  /** The values from the oldest that somebody has yet to read. */
  get length(): number {
    const first = this.readers.findIndex((readers, at) => at >= this.oldest && readers.size > 0);
    return first < 0 ? 0 : this.log.length - first;
  }

  subscribe(): ModelReceiver {
    const rx = new ModelReceiver(this.log.length);
    this.receivers.push(rx);
    return rx;
  }

  read(rx: ModelReceiver): Answer {
    if (rx.closed) return 'closed';
    if (rx.position === this.log.length) return this.senders === 0 ? 'closed' : 'pending';
    if (rx.position < this.oldest) {
      const lagged = this.oldest - rx.position;
      rx.position = this.oldest;
      return { lagged };
    }
    this.readers[rx.position]?.delete(rx);
    return { value: this.log[rx.position++] as number };
  }

  recv(rx: ModelReceiver): ModelRecv {
    const recv: ModelRecv = { answer: rx.waiting.length > 0 ? 'pending' : this.read(rx) };
    if (recv.answer === 'pending') rx.waiting.push(recv);
    return recv;
  }

  send(value: number): number {
    const open = this.open;
    if (open.length === 0) return 0;
    this.log.push(value);
    this.readers.push(new Set(open));
    for (const rx of open) {
      const first = rx.waiting.shift();
      if (first !== undefined) first.answer = this.read(rx);
    }
    return open.length;
  }

  close(rx: ModelReceiver): void {
    rx.closed = true;
    for (const readers of this.readers) readers.delete(rx);
    for (const recv of rx.waiting.splice(0)) recv.answer = 'closed';
  }

  closeSender(): void {
    if (--this.senders > 0) return;
    for (const rx of this.receivers) for (const recv of rx.waiting.splice(0)) recv.answer = this.read(rx);
  }
}

interface Recv {
  rx: ModelReceiver;
  model: ModelRecv;
  token: CancellationToken;
  answer: Answer;
}

/** The channel under test and its model, driven side by side. */
class Pair {
  readonly model: Model;
  readonly senders: Sender<number>[];
  readonly receivers: Receiver<number>[];
  readonly recvs: Recv[] = [];
  sent = 0;

  constructor(capacity: number) {
    const [tx, rx] = broadcast<number>(capacity);
    this.model = new Model(capacity);
    this.model.subscribe();
    this.senders = [tx];
    this.receivers = [rx];
  }

  step(kind: number, which: number): void {
    const tx = this.senders[which % Math.max(1, this.senders.length)];
    const at = which % this.receivers.length;
    const rx = this.receivers[at] as Receiver<number>;
    const model = this.model.receivers[at] as ModelReceiver;
    if (kind < 40) this.send(tx);
    else if (kind < 55) expect(tryRecv(rx)).toEqual(this.model.read(model));
    else if (kind < 75) this.recv(rx, model);
    else if (kind < 82) this.cancel(which);
    else if (kind < 86) this.subscribe(tx);
    else if (kind < 90) this.adopt(rx.resubscribe());
    else if (kind < 94) {
      rx.close();
      if (!model.closed) this.model.close(model);
    } else if (kind < 97) this.clone(tx);
    else this.closeSender(which);
    expect(this.observed()).toEqual(this.expected());
  }

  send(tx: Sender<number> | undefined): void {
    if (tx === undefined) return;
    const value = this.sent++;
    expect(tx.send(value)).toBe(this.model.send(value));
  }

  recv(rx: Receiver<number>, model: ModelReceiver): void {
    const token = new CancellationToken();
    const recv: Recv = { rx: model, model: this.model.recv(model), token, answer: 'pending' };
    this.recvs.push(recv);
    rx.recv({ signal: token }).then(
      (value) => {
        recv.answer = { value };
      },
      (error) => {
        recv.answer = error === token.reason ? 'cancelled' : error.code === 'ERR_CLOSED' ? 'closed' : lagOf(error);
      },
    );
  }

  cancel(which: number): void {
    const waiting = this.recvs.filter(({ model }) => model.answer === 'pending');
    const recv = waiting[which % Math.max(1, waiting.length)];
    if (recv === undefined) return;
    recv.token.cancel();
    recv.rx.waiting.splice(recv.rx.waiting.indexOf(recv.model), 1);
    recv.model.answer = 'cancelled';
  }

  subscribe(tx: Sender<number> | undefined): void {
    if (tx !== undefined) this.adopt(tx.subscribe());
  }

  adopt(rx: Receiver<number>): void {
    this.receivers.push(rx);
    this.model.subscribe();
  }

  clone(tx: Sender<number> | undefined): void {
    if (tx === undefined) return;
    this.senders.push(tx.clone());
    this.model.senders++;
  }

  closeSender(which: number): void {
    const [tx] = this.senders.splice(which % Math.max(1, this.senders.length), 1);
    if (tx === undefined) return;
    tx.close();
    this.model.closeSender();
  }

  observed(): object {
    return {
      receivers: this.receivers.map(({ length, isEmpty, isClosed }) => ({ length, isEmpty, isClosed })),
      senders: this.senders.map(({ length, isEmpty, receiverCount }) => ({ length, isEmpty, receiverCount })),
    };
  }

  expected(): object {
    const { model } = this;
    const isClosed = model.senders === 0;
    const receiver = (length: number) => ({ length, isEmpty: length === 0, isClosed });
    const sender = { length: model.length, isEmpty: model.length === 0, receiverCount: model.open.length };
    return {
      receivers: model.receivers.map((rx) => receiver(rx.closed ? 0 : model.log.length - rx.position)),
      senders: this.senders.map(() => sender),
    };
  }
}

function tryRecv(rx: Receiver<number>): Answer {
  const got = rx.tryRecv();
  if (got.ok) return { value: got.value };
  if (got.why === 'lagged') return { lagged: got.missed };
  return got.why === 'empty' ? 'pending' : 'closed';
}

function lagOf(error: { missed: number }): Answer {
  return { lagged: error.missed };
}

test('random operations answer as the model does', async () => {
  const operations = fc.array(fc.tuple(fc.nat(99), fc.nat(11)), { minLength: 20, maxLength: 120 });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 9 }), operations, async (capacity, steps) => {
      const pair = new Pair(capacity);
      for (const [kind, which] of steps) pair.step(kind, which);
      await turn();
      expect(pair.recvs.map(({ answer }) => answer)).toEqual(pair.recvs.map(({ model }) => model.answer));
    }),
    { numRuns: 500 },
  );
});
