// A loop that keeps its registrations, over a stream.
import { CancellationToken, PENDING, type Source, source, type Waiter } from '@quiesce/cancellation-token';
import { select, selectEach } from '@quiesce/select';
import type { Row } from '../harness.ts';
import { isBranch, turning } from './turns.ts';

/** A slot that holds one value. */
class Slot implements Source<number> {
  #value: number | undefined;
  #waiter: Waiter | undefined;

  put(value: number): void {
    this.#value = value;
    const waiter = this.#waiter;
    this.#waiter = undefined;
    waiter?.wake();
  }

  readonly [source] = {
    poll: (): number | typeof PENDING => {
      const value = this.#value;
      this.#value = undefined;
      return value ?? PENDING;
    },
    park: (waiter: Waiter): void => {
      this.#waiter = waiter;
    },
    unpark: (waiter: Waiter): void => {
      if (this.#waiter === waiter) this.#waiter = undefined;
    },
  };
}

const slot = new Slot();
const stopped = new CancellationToken();
const isSlot = isBranch('slot');
const isTurn = (result: unknown): boolean => isSlot((result as { value?: unknown }).value);

export const each: readonly Row[] = [
  {
    name: 'an iteration of selectEach over a stream and a token, ready',
    unit: 'ns',
    subjects: () => {
      const loop = selectEach({ stopped, slot });
      const turnOf = (index: number) => {
        slot.put(index);
        return loop.next();
      };
      const once = (index: number) => {
        slot.put(index);
        return select({ stopped, slot });
      };
      return [turning('quiesce', turnOf, isTurn), turning('select, each time anew', once, isSlot)];
    },
    budgets: [],
  },
  {
    name: 'the same, pending and then ready',
    unit: 'ns',
    subjects: () => {
      const loop = selectEach({ stopped, slot });
      const turnOf = (index: number) => {
        const result = loop.next();
        slot.put(index);
        return result;
      };
      const once = (index: number) => {
        const result = select({ stopped, slot });
        slot.put(index);
        return result;
      };
      return [turning('quiesce', turnOf, isTurn), turning('select, each time anew', once, isSlot)];
    },
    budgets: [],
  },
];
