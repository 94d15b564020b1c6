import {
  type BroadcastReceiver,
  type BroadcastSender,
  broadcast,
  type LaggedError,
  type WeakBroadcastSender,
} from '@quiesce/broadcast-channel';
import { retained } from '@quiesce/broadcast-channel/testing';
import { isClosedError, PENDING, type Source, source, type Waiter, waiter } from '@quiesce/cancellation-token';
import type { Op } from './recordings.ts';
import type { Adapter, Answers, Replay } from './replay.ts';

export const broadcastChannel: Adapter = {
  suite: 'broadcast',
  inputs: {
    channel: ['cap', 'tx', 'rx'],
    sender_new: ['cap', 'tx'],
    send: ['tx', 'v'],
    subscribe: ['tx', 'rx'],
    resubscribe: ['of', 'rx'],
    clone_tx: ['of', 'tx'],
    downgrade: ['tx', 'weak'],
    upgrade: ['weak'],
    clone_weak: ['of', 'weak'],
    drop_tx: ['tx'],
    drop_weak: ['weak'],
    drop_rx: ['rx'],
    try_recv: ['rx'],
    recv: ['rx', 'f'],
    recv_unpolled: ['rx', 'f'],
    recv_poll: ['f'],
    recv_drop: ['f'],
    closed: ['tx', 'f'],
    closed_poll: ['f'],
    closed_drop: ['f'],
    stats: [],
  },
  notYet: {},
  notCompared: {},
  begin: () => new BroadcastReplay(),
};

/** A started receive, or a wait for the end of all receivers. */
interface Future {
  readonly from: Source<unknown>;
  readonly waiter: Waiter;
  /** The receiver that it borrows. */
  readonly rx: number | undefined;
}

/** Tokio's handles and futures of one channel. */
class BroadcastReplay implements Replay {
  readonly #senders = new Map<number, BroadcastSender<number>>();
  readonly #weak = new Map<number, WeakBroadcastSender<number>>();
  readonly #receivers = new Map<number, BroadcastReceiver<number>>();
  readonly #futures = new Map<number, Future>();
  /** The first sender. It shows the length of the channel even when all other handles were dropped. */
  #first: BroadcastSender<number> | undefined;
  #woken: number[] = [];

  takeWoken(): number[] {
    const woken = this.#woken;
    this.#woken = [];
    return woken;
  }

  apply(op: Op): Answers {
    const id = (field: string): number => op[field] as number;
    switch (op.op) {
      case 'channel':
      case 'sender_new':
        return this.#open(op);
      case 'send':
        return { result: sent(get(this.#senders, id('tx')).send(id('v')), id('v')) };
      case 'subscribe':
        return put(this.#receivers, id('rx'), get(this.#senders, id('tx')).subscribe());
      case 'resubscribe':
        return put(this.#receivers, id('rx'), get(this.#receivers, id('of')).resubscribe());
      case 'clone_tx':
        return put(this.#senders, id('tx'), get(this.#senders, id('of')).clone());
      case 'downgrade':
        return put(this.#weak, id('weak'), get(this.#senders, id('tx')).downgrade());
      case 'clone_weak':
        return put(this.#weak, id('weak'), get(this.#weak, id('of')).clone());
      case 'upgrade':
        return this.#upgrade(id('weak'), op['tx']);
      case 'drop_tx':
        return drop(this.#senders, id('tx'), (sender) => sender.close());
      case 'drop_weak':
        return drop(this.#weak, id('weak'), (sender) => sender.dispose());
      case 'drop_rx':
        return drop(this.#receivers, id('rx'), (receiver) => receiver.dispose());
      case 'try_recv':
        return { result: tried(get(this.#receivers, id('rx'))) };
      case 'recv':
      case 'recv_unpolled':
        return this.#recv(id('f'), id('rx'), op.op === 'recv');
      case 'recv_poll':
        return { result: this.#poll(id('f')) };
      case 'closed':
        this.#start(id('f'), get(this.#senders, id('tx')).closed(), undefined);
        return { ready: this.#poll(id('f')) !== 'pending' };
      case 'closed_poll':
        return { ready: this.#poll(id('f')) !== 'pending' };
      case 'recv_drop':
      case 'closed_drop':
        return this.#abandon(id('f'));
      case 'stats':
        return this.#stats();
      default:
        throw new Error(`no such operation: ${op.op}`);
    }
  }

  #open(op: Op): Answers {
    const capacity = op['cap'] as number;
    try {
      if (op.op === 'channel') {
        const [tx, rx] = broadcast<number>(capacity);
        this.#first = tx;
        put(this.#receivers, op['rx'] as number, rx);
      } else {
        this.#first = broadcast.sender<number>(capacity);
      }
    } catch (error) {
      if (error instanceof RangeError) return { result: 'panic' };
      throw error;
    }
    return put(this.#senders, op['tx'] as number, this.#first);
  }

  /** `tx` is an answer and also the name of the new sender: a recording without an id had no new sender. */
  #upgrade(weak: number, tx: unknown): Answers {
    const sender = get(this.#weak, weak).upgrade();
    if (sender === undefined) return { tx: null };
    if (typeof tx !== 'number') return { tx: 'a sender' };
    this.#senders.set(tx, sender);
    return { tx };
  }

  #recv(f: number, rx: number, isPolled: boolean): Answers {
    this.#start(f, get(this.#receivers, rx), rx);
    return isPolled ? { result: this.#poll(f) } : {};
  }

  #start(f: number, from: Source<unknown>, rx: number | undefined): void {
    this.#futures.set(f, { from, waiter: waiter(() => void this.#woken.push(f)), rx });
  }

  /** Polls as Tokio does: takes a ready value, which ends the future, or registers. */
  #poll(f: number): unknown {
    const { from, waiter } = get(this.#futures, f);
    const result = polled(from);
    if (result === 'pending') from[source].park(waiter);
    else this.#abandon(f);
    return result;
  }

  #abandon(f: number): Answers {
    const { from, waiter } = get(this.#futures, f);
    from[source].unpark(waiter);
    this.#futures.delete(f);
    return {};
  }

  #stats(): Answers {
    const busy = new Set([...this.#futures.values()].map(({ rx }) => rx));
    const idle = [...this.#receivers].filter(([rx]) => !busy.has(rx));
    const [tx] = this.#senders.values();
    return {
      ...(tx !== undefined && { tx_len: tx.length, tx_is_empty: tx.isEmpty, receiver_count: tx.receiverCount }),
      ...this.#counts(idle.map(([, rx]) => rx)),
      rx: Object.fromEntries(idle.map(([rx, { length }]) => [rx, length])),
      retained: this.#first === undefined ? [] : retained(this.#first),
    };
  }

  /** Every live handle must report the same counts of senders. */
  #counts(idle: readonly BroadcastReceiver<number>[]): Answers {
    const handles = [...this.#senders.values(), ...this.#weak.values(), ...idle];
    const said = new Set(handles.map(({ strongCount, weakCount }) => `${strongCount} ${weakCount}`));
    if (said.size > 1) throw new Error(`the handles disagree: ${[...said]}`);
    const [one] = handles;
    if (one === undefined) return {};
    const closed = new Set([one.strongCount === 0, ...idle.map(({ isClosed }) => isClosed)]);
    if (closed.size > 1) throw new Error('isClosed and strongCount disagree');
    return { strong: one.strongCount, weak: one.weakCount, is_closed: one.strongCount === 0 };
  }
}

function sent(reached: number, value: number): object {
  return reached === 0 ? { err: value } : { ok: reached };
}

function tried(rx: BroadcastReceiver<number>): unknown {
  const got = rx.tryRecv();
  if (got.ok) return { v: got.value };
  return got.why === 'lagged' ? { lagged: got.missedCount } : got.why;
}

function polled(from: Source<unknown>): unknown {
  try {
    const value = from[source].poll();
    return value === PENDING ? 'pending' : { v: value };
  } catch (error) {
    return isClosedError(error) ? 'closed' : { lagged: (error as LaggedError).missedCount };
  }
}

function put<V>(map: Map<number, V>, id: number, value: V): Answers {
  map.set(id, value);
  return {};
}

function get<V>(map: ReadonlyMap<number, V>, id: number): V {
  const value = map.get(id);
  if (value === undefined) throw new Error(`the recording names ${id}, which does not exist`);
  return value;
}

function drop<T>(map: Map<number, T>, id: number, end: (item: T) => void): Answers {
  end(get(map, id));
  map.delete(id);
  return {};
}
