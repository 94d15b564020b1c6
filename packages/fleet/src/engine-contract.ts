import { logCases } from './contract/logs.ts';
import { memberCases } from './contract/members.ts';
import { slotCases } from './contract/slots.ts';
import type { FleetEngine } from './engine.ts';

/** One case of {@link engineContract}. */
export interface ContractCase {
  /** The invariant and the behaviour, as the name of a test. */
  readonly name: string;
  /**
   * Runs the case. Takes up to about 3 s on an engine that keeps the contract.
   *
   * @param engine the engine. It is asked for several connections, all in namespaces with new names
   * @throws (rejects) Error that says which invariant is broken, and what was seen
   */
  run(engine: FleetEngine): Promise<void>;
}

/**
 * Checks that an engine keeps the invariants of {@link FleetEngine}. The cases need no test runner, and run at the same time as
 * each other. Use them when you write an engine for another database.
 *
 * They use the real clock. They wait until a condition holds, 30 s at most, so that a slow machine fails none of them. They
 * leave their records, members and slots in the database until these expire.
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
