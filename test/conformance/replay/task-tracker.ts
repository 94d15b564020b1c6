import { type Awaitable, PENDING, source, type Waiter, waiter } from '@quiesce/cancellation-token';
import { TaskTracker, type TrackerGuard } from '@quiesce/scope';
import type { Op } from './recordings.ts';
import type { Adapter, Answers, Replay } from './replay.ts';
import { Scripted } from './scripted.ts';

export const taskTracker: Adapter = {
  suite: 'task-tracker',
  inputs: {
    new: ['tr'],
    clone: ['of', 'tr'],
    token: ['tr', 't'],
    clone_token: ['of', 't'],
    drop_token: ['t'],
    track_future: ['tr', 'k', 'ready_at'],
    poll_tracked: ['k'],
    complete_inner: ['k'],
    drop_tracked: ['k'],
    close: ['tr'],
    reopen: ['tr'],
    state: ['tr'],
    wait: ['tr', 'w'],
    wait_unpolled: ['tr', 'w'],
    poll_wait: ['w'],
    drop_wait: ['w'],
  },
  notYet: {},
  notCompared: {},
  begin: () => new TrackerReplay(),
};

/** A future that Tokio tracks until it is dropped: a guard, and the scripted work itself. */
interface Tracked {
  readonly guard: TrackerGuard;
  readonly work: Scripted;
  readonly waiter: Waiter;
}

interface Wait {
  readonly wait: Awaitable<void>;
  readonly waiter: Waiter;
}

/** Tokio's trackers, tokens and waits. Clones of a tracker are one object here. */
class TrackerReplay implements Replay {
  readonly #trackers = new Map<number, TaskTracker>();
  readonly #guards = new Map<number, TrackerGuard>();
  readonly #tracked = new Map<number, Tracked>();
  readonly #waits = new Map<number, Wait>();
  #woken: number[] = [];

  takeWoken(): number[] {
    const woken = this.#woken;
    this.#woken = [];
    return woken;
  }

  apply(op: Op): Answers {
    const id = (field: string): number => op[field] as number;
    const tracker = (): TaskTracker => get(this.#trackers, id('tr'));
    switch (op.op) {
      case 'new':
        this.#trackers.set(id('tr'), new TaskTracker());
        return {};
      case 'clone':
        this.#trackers.set(id('tr'), get(this.#trackers, id('of')));
        return {};
      case 'token':
        this.#guards.set(id('t'), tracker().guard());
        return {};
      case 'clone_token':
        this.#guards.set(id('t'), get(this.#guards, id('of')).tracker.guard());
        return {};
      case 'drop_token':
        take(this.#guards, id('t')).dispose();
        return {};
      case 'track_future':
        this.#tracked.set(id('k'), {
          guard: tracker().guard(),
          work: new Scripted(op['ready_at'] as number | null),
          waiter: this.#waiter(id('k')),
        });
        return {};
      case 'poll_tracked':
        return pollTracked(get(this.#tracked, id('k')));
      case 'complete_inner':
        get(this.#tracked, id('k')).work.complete();
        return {};
      case 'drop_tracked':
        return drop(take(this.#tracked, id('k')));
      case 'close':
        return { result: tracker().close() };
      case 'reopen':
        return { result: tracker().reopen() };
      case 'state':
        return { len: tracker().length, is_empty: tracker().isEmpty, is_closed: tracker().isClosed };
      case 'wait':
      case 'wait_unpolled':
        return this.#wait(id('w'), tracker(), op.op === 'wait');
      case 'poll_wait':
        return { ready: poll(get(this.#waits, id('w'))) };
      case 'drop_wait': {
        const { wait, waiter } = take(this.#waits, id('w'));
        wait[source].unpark(waiter);
        return {};
      }
      default:
        throw new Error(`no such operation: ${op.op}`);
    }
  }

  #wait(w: number, tracker: TaskTracker, isPolled: boolean): Answers {
    const wait = { wait: tracker.wait(), waiter: this.#waiter(w) };
    this.#waits.set(w, wait);
    return isPolled ? { ready: poll(wait) } : {};
  }

  #waiter(id: number): Waiter {
    return waiter(() => void this.#woken.push(id));
  }
}

/** Polls as Tokio does: takes a ready value, or registers. */
function poll({ wait, waiter }: Wait): boolean {
  if (wait[source].poll() !== PENDING) return true;
  wait[source].park(waiter);
  return false;
}

function pollTracked({ guard, work, waiter }: Tracked): Answers {
  const isReady = work[source].poll() !== PENDING;
  if (!isReady) work[source].park(waiter);
  return { ready: isReady, len: guard.tracker.length };
}

function drop({ guard, work, waiter }: Tracked): Answers {
  work[source].unpark(waiter);
  guard.dispose();
  return {};
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
