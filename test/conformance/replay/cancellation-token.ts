import { CancellationToken, type DropGuard, PENDING, source, type Waiter, waiter } from '@quiesce/cancellation-token';
import type { Op } from './recordings.ts';
import type { Adapter, Answers, Replay } from './replay.ts';
import { Run } from './run.ts';

export const cancellationToken: Adapter = {
  suite: 'cancellation-token',
  inputs: {
    new: ['h'],
    child: ['of', 'h'],
    clone: ['of', 'h'],
    drop: ['h'],
    cancel: ['h'],
    is_cancelled: ['h'],
    snapshot: [],
    equal: ['a', 'b'],
    wait: ['h', 'w'],
    wait_unpolled: ['h', 'w'],
    wait_owned: ['h', 'w'],
    poll_wait: ['w'],
    drop_wait: ['w'],
    guard: ['h', 'g'],
    guard_ref: ['h', 'g'],
    guard_token_clone: ['g', 'h'],
    disarm: ['g', 'h'],
    disarm_ref: ['g', 'h'],
    drop_guard: ['g'],
    run: ['h', 'w', 'ready_at', 'polled'],
    run_wct: ['h', 'w', 'ready_at', 'polled'],
    poll_run: ['w'],
    complete_inner: ['w'],
    drop_run: ['w'],
  },
  notYet: {},
  notCompared: { '*': { inner_dropped: 'a promise, and what stands behind a source, cannot be destroyed' } },
  begin: () => new TokenReplay(),
};

interface Wait {
  readonly token: CancellationToken;
  readonly waiter: Waiter;
  /** Whether it holds the token itself instead of borrowing a handle. */
  readonly owned: boolean;
}

interface Guard {
  readonly guard: DropGuard<CancellationToken>;
  readonly owned: boolean;
}

/** Tokio's handles, waits and guards, on top of tokens that are disposed when the last counted reference is gone. */
class TokenReplay implements Replay {
  readonly #handles = new Map<number, CancellationToken>();
  readonly #waits = new Map<number, Wait>();
  readonly #guards = new Map<number, Guard>();
  /** Handles, owned waits and owned guards of each token. */
  readonly #references = new Map<CancellationToken, number>();
  readonly #runs = new Map<number, Run>();
  /** A finished `with_cancellation_token` of Tokio keeps its place in the token's wait list. */
  readonly ended = new Set<number>();
  #woken: number[] = [];

  takeWoken(): number[] {
    const woken = this.#woken;
    this.#woken = [];
    return woken;
  }

  apply(op: Op): Answers {
    const id = (field: string): number => op[field] as number;
    switch (op.op) {
      case 'new':
        return this.#hold(id('h'), new CancellationToken());
      case 'child':
        return this.#hold(id('h'), this.#token(id('of')).childToken());
      case 'clone':
        return this.#hold(id('h'), this.#token(id('of')));
      case 'drop':
        return this.#release(this.#giveUp(id('h')));
      case 'cancel':
        this.#token(id('h')).cancel();
        return {};
      case 'is_cancelled':
        return { result: this.#token(id('h')).isCancelled };
      case 'equal':
        return { result: this.#token(id('a')) === this.#token(id('b')) };
      case 'snapshot':
        return this.#snapshot();
      case 'wait':
      case 'wait_unpolled':
      case 'wait_owned':
        return this.#wait(id('w'), id('h'), op.op);
      case 'poll_wait':
        return { ready: poll(get(this.#waits, id('w'))) };
      case 'drop_wait':
        return this.#dropWait(take(this.#waits, id('w')));
      case 'guard':
        return this.#guard(id('g'), this.#giveUp(id('h')), true);
      case 'guard_ref':
        return this.#guard(id('g'), this.#token(id('h')), false);
      case 'guard_token_clone':
        return this.#hold(id('h'), get(this.#guards, id('g')).guard.token);
      case 'disarm':
        return this.#disarm(take(this.#guards, id('g')), id('h'));
      case 'disarm_ref':
        return { cancelled: take(this.#guards, id('g')).guard.disarm().isCancelled };
      case 'drop_guard':
        return this.#dropGuard(take(this.#guards, id('g')));
      case 'run':
      case 'run_wct':
        return this.#run(op, id('w'), this.#token(id('h')));
      case 'poll_run':
        return this.#pollRun(id('w'));
      case 'complete_inner':
        get(this.#runs, id('w')).complete();
        return {};
      case 'drop_run':
        take(this.#runs, id('w')).drop();
        return {};
      default:
        throw new Error(`no such operation: ${op.op}`);
    }
  }

  #token(h: number): CancellationToken {
    return get(this.#handles, h);
  }

  /** Makes a new handle. */
  #hold(h: number, token: CancellationToken): Answers {
    this.#handles.set(h, token);
    this.#references.set(token, (this.#references.get(token) ?? 0) + 1);
    return { cancelled: token.isCancelled };
  }

  /** Ends a handle, and leaves its reference to the caller. */
  #giveUp(h: number): CancellationToken {
    return take(this.#handles, h);
  }

  #release(token: CancellationToken): Answers {
    const left = get(this.#references, token) - 1;
    this.#references.set(token, left);
    if (left === 0) token.dispose();
    return {};
  }

  #wait(w: number, h: number, kind: string): Answers {
    const owned = kind === 'wait_owned';
    const token = owned ? this.#giveUp(h) : this.#token(h);
    const wait = { token, waiter: waiter(() => void this.#woken.push(w)), owned };
    this.#waits.set(w, wait);
    return kind === 'wait_unpolled' ? {} : { ready: poll(wait) };
  }

  #dropWait({ token, waiter, owned }: Wait): Answers {
    token[source].unpark(waiter);
    return owned ? this.#release(token) : {};
  }

  #run(op: Op, w: number, token: CancellationToken): Answers {
    const asksAtCreation = op.op === 'run_wct';
    const run = new Run(token, op['ready_at'] as number | null, asksAtCreation, () => void this.#woken.push(w));
    this.#runs.set(w, run);
    return op['polled'] === true ? this.#pollRun(w) : {};
  }

  #pollRun(w: number): Answers {
    const answers = get(this.#runs, w).poll();
    if (answers['result'] !== 'pending') this.ended.add(w);
    return answers;
  }

  #guard(g: number, token: CancellationToken, owned: boolean): Answers {
    this.#guards.set(g, { guard: token.dropGuard(), owned });
    return {};
  }

  /** Moves the reference of the guard to the handle. */
  #disarm({ guard }: Guard, h: number): Answers {
    const token = guard.disarm();
    this.#handles.set(h, token);
    return { cancelled: token.isCancelled };
  }

  #dropGuard({ guard, owned }: Guard): Answers {
    guard.dispose();
    return owned ? this.#release(guard.token) : {};
  }

  #snapshot(): Answers {
    const live = [...this.#handles].sort(([a], [b]) => a - b);
    const guards = [...this.#guards].sort(([a], [b]) => a - b);
    return {
      live: live.map(([h]) => h),
      cancelled: live.filter(([, token]) => token.isCancelled).map(([h]) => h),
      guards_cancelled: guards.filter(([, { guard }]) => guard.token.isCancelled).map(([g]) => g),
    };
  }
}

/** Polls as Tokio does: takes a ready value, or registers. */
function poll({ token, waiter }: Wait): boolean {
  if (token[source].poll() !== PENDING) return true;
  token[source].park(waiter);
  return false;
}

function get<K, V>(map: Map<K, V>, key: K): V {
  const value = map.get(key);
  if (value === undefined) throw new Error(`the recording names ${String(key)}, which does not exist`);
  return value;
}

function take<V>(map: Map<number, V>, id: number): V {
  const value = get(map, id);
  map.delete(id);
  return value;
}
