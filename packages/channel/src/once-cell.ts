import type { CancellationToken, Tried } from '@quiesce/cancellation-token';
import { Awaitable } from '@quiesce/cancellation-token/internal';
import { checkFunction, defineHandle, refuseExtra } from '@quiesce/internal';
import { Cell, Initialization } from './initialization.ts';
import { refuseUnsendable } from './settle.ts';
import { type WaitOptions, withLimits } from './wait-options.ts';

/**
 * Holds a value that is set once, usually by the first task that needs it.
 *
 * Tasks that need the value while it is made wait for it, and only one of them makes it. When that one fails or is
 * cancelled, the next one tries. Use it for a connection or a configuration that is loaded on first use.
 *
 * **Cancel safety.** A `getOrInit` that is given up, or loses in `select`, cancels the token of its function. The next
 * attempt begins when that function has ended. A value that it still returns is kept.
 *
 * **Fairness.** First come, first served, both for the attempts and for the value.
 *
 * @see tokio::sync::OnceCell (tokio 1.53)
 * @example
 * ```ts
 * const config = new OnceCell<{ port: number }>();
 * const load = async () => {
 *   console.log('loading');
 *   return { port: 80 };
 * };
 * const [a, b] = await Promise.all([config.getOrInit(load), config.getOrInit(load)]); // => loading
 * console.log(a === b, config.get()); // => true { port: 80 }
 * ```
 */
export class OnceCell<T> {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(OnceCell, {
    name: 'cell',
    owns: (value) => #cell in value,
    facts: ({ isInitialized, isInitializing }) => ({ isInitialized, isInitializing }),
  });
  readonly #cell: Cell<T> = new Cell();

  /** Makes an empty cell. */
  constructor();
  constructor(extra?: unknown) {
    refuseExtra('new OnceCell', extra, 'write OnceCell.from(value)');
  }

  /**
   * Makes a cell that already has its value.
   *
   * @param value anything except a thenable
   * @throws TypeError when the value is a thenable
   * @see tokio::sync::OnceCell::new_with (tokio 1.53)
   * @example
   * ```ts
   * console.log(OnceCell.from(5).get()); // => 5
   * ```
   */
  static from<T>(value: T): OnceCell<T> {
    const cell = new OnceCell<T>();
    cell.set(value);
    return cell;
  }

  /** Whether the cell has a value. */
  get isInitialized(): boolean {
    return this.#cell.isInitialized;
  }

  /** Whether a function of `getOrInit` runs. */
  get isInitializing(): boolean {
    return this.#cell.isBusy;
  }

  /** Returns the value, or `undefined` when there is none yet. */
  get(): T | undefined {
    return this.#cell.get();
  }

  /**
   * Sets the value, when the cell is empty and nothing is making a value.
   *
   * **Timing.** Synchronous. Tasks that wait for the value have it when this returns.
   *
   * @param value anything except a thenable
   * @returns `{ ok: true }`, or `{ ok: false, why }`: `initialized`, or `initializing` when a function of `getOrInit` runs
   * @throws TypeError when the value is a thenable
   * @see tokio::sync::OnceCell::set (tokio 1.53)
   * @example
   * ```ts
   * const cell = new OnceCell<number>();
   * console.log(cell.set(1).ok, cell.set(2)); // => true { ok: false, why: 'initialized' }
   * ```
   */
  set(value: T): Tried<void, 'initialized' | 'initializing'> {
    refuseUnsendable(value, 'set');
    if (this.#cell.isInitialized) return { ok: false, why: 'initialized' };
    if (this.#cell.isBusy) return { ok: false, why: 'initializing' };
    this.#cell.set(value);
    return { ok: true, value: undefined };
  }

  /**
   * Returns the value, and makes it first when there is none: await it, or make it a branch of `select`.
   *
   * **Timing.** Nothing happens until something waits for it. Then `init` is called, synchronously, when the cell is empty
   * and no other `init` runs. Otherwise it waits.
   *
   * **Cancel safety.** When it is given up before `init` starts, it has started nothing. When it is given up while `init`
   * runs, it cancels the token of `init`. A later failure of `init` is dropped, since the next attempt fails in the same
   * way or succeeds.
   *
   * @param init makes the value. Gets a token that is cancelled when its caller gives up. It must not wait for the value of
   *   this cell: it would wait for itself
   * @param options `signal` and `timeout` (ms) give up the wait; the time runs from this call
   * @returns the value, the same for every caller
   * @throws TypeError when `init` is not a function, or an option has the wrong type; RangeError when `timeout` is
   *   negative or NaN. When awaited: the error of `init`, only for the caller whose `init` it was; `TimeoutError`; the
   *   reason, verbatim
   * @see tokio::sync::OnceCell::get_or_init, get_or_try_init (tokio 1.53)
   */
  getOrInit(init: (token: CancellationToken) => T | PromiseLike<T>, options?: WaitOptions): Awaitable<T> {
    checkFunction('getOrInit', init);
    return new Awaitable(withLimits(new Initialization(this.#cell, init), options, 'getOrInit'));
  }

  /**
   * Takes the value out. The cell is then empty and can be set again. Synchronous.
   *
   * @returns the value, or `undefined` when there was none
   * @see tokio::sync::OnceCell::take (tokio 1.53)
   * @example
   * ```ts
   * const cell = OnceCell.from('a');
   * console.log(cell.take(), cell.isInitialized); // => a false
   * ```
   */
  take(): T | undefined {
    return this.#cell.take();
  }
}
