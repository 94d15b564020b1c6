import { logCases } from './contract/logs.ts';
import { memberCases } from './contract/members.ts';
import { slotCases } from './contract/slots.ts';
import type { FleetEngine } from './engine.ts';

/** One case of {@link engineContract}. */
export interface ContractCase {
  /** The invariant and the behaviour, to be used as the name of a test. */
  readonly name: string;
  /**
   * Runs the case. Takes up to about 3 s on an engine that keeps the contract.
   *
   * @param engine the engine. The case opens several connections, all in new namespaces
   * @throws (rejects) Error that names the broken invariant and the observed behaviour
   */
  run(engine: FleetEngine): Promise<void>;
}

/**
 * Checks that an engine keeps the invariants of {@link FleetEngine}. The cases need no test runner, and can run at the same time.
 * Use them when you write an engine for another database.
 *
 * They use the real clock, and wait at most 30 s for each condition, so that a slow machine fails none of them. Their records,
 * members and slots stay in the database until they expire.
 *
 * @example
 * ```ts
 * for (const { name, run } of engineContract.slice(0, 2)) {
 *   await run(memoryEngine());
 *   console.log(name);
 * }
 * // => E1: a second record of the same log and id changes nothing
 * // => E1: a batch over several logs is stored as a whole, or not at all
 * ```
 */
export const engineContract: readonly ContractCase[] = [...logCases, ...memberCases, ...slotCases];
