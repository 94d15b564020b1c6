// Random operations against a naive model: a log of all values, and for each receiver a number.
import {
  type BroadcastReceiver,
  type BroadcastSender,
  broadcast,
  type WeakBroadcastSender,
} from '@quiesce/broadcast-channel';
import { retained } from '@quiesce/broadcast-channel/testing';
import { CancellationToken } from '@quiesce/cancellation-token';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { runEventLoop } from './vocabulary.ts';

type Answer = { value: number } | { values: number[] } | { lagged: number } | 'closed' | 'cancelled' | 'pending';

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
  /** The limit of a batch, or `undefined` for one value. */
  readonly limit: number | undefined;
}

class Model {
  readonly kept: number;
  readonly log: number[] = [];
  /** For each value the receivers that have yet to read it. */
  readonly readers: Set<ModelReceiver>[] = [];
  readonly receivers: ModelReceiver[] = [];
  senders = 1;
  weak = 0;

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

  /** The values that a receiver has yet to read. */
  get retained(): number[] {
    return this.log.filter((_, at) => at >= this.oldest && (this.readers[at]?.size ?? 0) > 0);
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

  readUpTo(rx: ModelReceiver, limit: number | undefined): Answer {
    const first = this.read(rx);
    if (limit === undefined || typeof first === 'string' || !('value' in first)) return first;
    const values = [first.value];
    while (values.length < limit && rx.position < this.log.length) {
      const next = this.read(rx);
      if (typeof next !== 'string' && 'value' in next) values.push(next.value);
    }
    return { values };
  }

  recv(rx: ModelReceiver, limit: number | undefined): ModelRecv {
    const recv: ModelRecv = { answer: rx.waiting.length > 0 ? 'pending' : this.readUpTo(rx, limit), limit };
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
      if (first !== undefined) first.answer = this.readUpTo(rx, first.limit);
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
  /** Gives up the wait, or `undefined` when it cannot be given up. */
  token: { cancel(): void } | undefined;
  answer: Answer;
}

/** The channel under test and its model, driven side by side. */
class Pair {
  readonly model: Model;
  readonly senders: BroadcastSender<number>[];
  readonly weak: WeakBroadcastSender<number>[] = [];
  readonly receivers: BroadcastReceiver<number>[];
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
    const rx = this.receivers[at] as BroadcastReceiver<number>;
    const model = this.model.receivers[at] as ModelReceiver;
    if (kind < 38) this.send(tx);
    else if (kind < 50) expect(tryRecv(rx)).toEqual(this.model.read(model));
    else if (kind < 60) this.recv(rx, model, undefined);
    else if (kind < 66) this.recv(rx, model, 1 + (which % 3));
    else if (kind < 72) this.next(rx, model);
    else if (kind < 79) this.cancel(which);
    else if (kind < 83) this.subscribe(tx);
    else if (kind < 87) this.adopt(rx.resubscribe());
    else if (kind < 91) {
      rx.dispose();
      if (!model.closed) this.model.close(model);
    } else if (kind < 93) this.clone(tx);
    else if (kind < 95) this.downgrade(tx);
    else if (kind < 97) this.upgrade(which);
    else if (kind < 98) this.closeWeak(which);
    else this.closeSender(which);
    expect(this.observed()).toEqual(this.expected());
  }

  send(tx: BroadcastSender<number> | undefined): void {
    if (tx === undefined) return;
    const value = this.sent++;
    expect(tx.send(value)).toBe(this.model.send(value));
  }

  recv(rx: BroadcastReceiver<number>, model: ModelReceiver, limit: number | undefined): void {
    const token = new CancellationToken();
    const recv: Recv = { rx: model, model: this.model.recv(model, limit), token, answer: 'pending' };
    this.recvs.push(recv);
    const failed = (error: { code: string; missedCount: number }): void => {
      recv.answer =
        (error as unknown) === token.reason ? 'cancelled' : error.code === 'ERR_CLOSED' ? 'closed' : lagOf(error);
    };
    const options = { signal: token };
    if (limit !== undefined) {
      rx.recvMany(limit, options).then((values) => {
        recv.answer = { values };
      }, failed);
      return;
    }
    // Some have no signal, and cannot be given up.
    const isPlain = this.recvs.length % 2 === 0;
    if (isPlain) recv.token = undefined;
    rx.recv(isPlain ? undefined : options).then((value) => {
      recv.answer = { value };
    }, failed);
  }

  /** A step of an iteration. `return` ends it where other waits are cancelled. */
  next(rx: BroadcastReceiver<number>, model: ModelReceiver): void {
    const values = rx.values();
    const token = { cancel: () => void values.return?.() };
    const recv: Recv = { rx: model, model: this.model.recv(model, undefined), token, answer: 'pending' };
    this.recvs.push(recv);
    values.next().then(
      ({ done, value }) => {
        if (done !== true) recv.answer = { value };
        else recv.answer = recv.model.answer === 'cancelled' ? 'cancelled' : 'closed';
      },
      (error) => {
        recv.answer = lagOf(error);
      },
    );
  }

  cancel(which: number): void {
    const waiting = this.recvs.filter(({ model, token }) => model.answer === 'pending' && token !== undefined);
    const recv = waiting[which % Math.max(1, waiting.length)];
    if (recv === undefined) return;
    recv.token?.cancel();
    recv.rx.waiting.splice(recv.rx.waiting.indexOf(recv.model), 1);
    recv.model.answer = 'cancelled';
  }

  subscribe(tx: BroadcastSender<number> | undefined): void {
    if (tx !== undefined) this.adopt(tx.subscribe());
  }

  adopt(rx: BroadcastReceiver<number>): void {
    this.receivers.push(rx);
    this.model.subscribe();
  }

  clone(tx: BroadcastSender<number> | undefined): void {
    if (tx === undefined) return;
    this.senders.push(tx.clone());
    this.model.senders++;
  }

  downgrade(tx: BroadcastSender<number> | undefined): void {
    if (tx === undefined) return;
    this.weak.push(tx.downgrade());
    this.model.weak++;
  }

  upgrade(which: number): void {
    const weak = this.weak[which % Math.max(1, this.weak.length)];
    const tx = weak?.upgrade();
    expect(tx === undefined).toBe(weak === undefined || this.model.senders === 0);
    if (tx === undefined) return;
    this.senders.push(tx);
    this.model.senders++;
  }

  closeWeak(which: number): void {
    const [weak] = this.weak.splice(which % Math.max(1, this.weak.length), 1);
    if (weak === undefined) return;
    weak.dispose();
    this.model.weak--;
  }

  closeSender(which: number): void {
    const [tx] = this.senders.splice(which % Math.max(1, this.senders.length), 1);
    if (tx === undefined) return;
    tx.close();
    this.model.closeSender();
  }

  observed(): object {
    const counts = [...this.senders, ...this.weak, ...this.receivers].map((one) => [one.strongCount, one.weakCount]);
    return {
      receivers: this.receivers.map(({ length, isEmpty, isClosed }) => ({ length, isEmpty, isClosed })),
      senders: this.senders.map(({ length, isEmpty, receiverCount }) => ({ length, isEmpty, receiverCount })),
      retained: retained(this.receivers[0] as BroadcastReceiver<number>),
      counts: [...new Set(counts.map(String))],
    };
  }

  expected(): object {
    const { model } = this;
    const isClosed = model.senders === 0;
    const length = model.retained.length;
    const receiver = (unread: number) => ({ length: unread, isEmpty: unread === 0, isClosed });
    const sender = { length, isEmpty: length === 0, receiverCount: model.open.length };
    return {
      receivers: model.receivers.map((rx) => receiver(rx.closed ? 0 : model.log.length - rx.position)),
      senders: this.senders.map(() => sender),
      retained: model.retained,
      counts: [`${model.senders},${model.weak}`],
    };
  }
}

function tryRecv(rx: BroadcastReceiver<number>): Answer {
  const got = rx.tryRecv();
  if (got.ok) return { value: got.value };
  if (got.why === 'lagged') return { lagged: got.missedCount };
  return got.why === 'empty' ? 'pending' : 'closed';
}

function lagOf(error: { missedCount: number }): Answer {
  return { lagged: error.missedCount };
}

test('random operations give the same results as the model', async () => {
  const operations = fc.array(fc.tuple(fc.nat(99), fc.nat(11)), { minLength: 20, maxLength: 120 });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 9 }), operations, async (capacity, steps) => {
      const pair = new Pair(capacity);
      for (const [kind, which] of steps) pair.step(kind, which);
      await runEventLoop();
      expect(pair.recvs.map(({ answer }) => answer)).toEqual(pair.recvs.map(({ model }) => model.answer));
    }),
    { numRuns: 1_000 },
  );
});
