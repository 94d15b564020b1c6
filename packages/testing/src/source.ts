/** The kinds of events that can begin a step. The order of the kinds means nothing. */
export type SourceKind = 'operation' | 'stream' | 'immediate' | 'timer' | 'signal' | 'act' | 'rest';

/** Something that can happen at a choice point, once or repeatedly. */
export interface ChoiceSource {
  readonly kind: SourceKind;
  /** The number of its name, equal in all runs of one exploration. */
  readonly id: number;
  /** The name of an event, in stories and for `commutes`. */
  name(variant: number): string;
  /** Whether the event could happen now. An overlapping event may have prevented it. */
  isPossible(variant: number): boolean;
  /** Runs the event's callback. */
  perform(variant: number): void;
}

/** One event of a source, as it stands in the list of a choice point. */
export interface Alternative {
  readonly source: ChoiceSource;
  readonly variant: number;
}

/** Why a source stands behind others. */
export const FRESH = 0;
export const SLOW_FOR_OPERATION = 1;
export const SLOW_FOR_TIMER = 2;
export type Slowness = typeof FRESH | typeof SLOW_FOR_OPERATION | typeof SLOW_FOR_TIMER;

/** An operation or a stream: other events can pass it over. */
export interface SlowSource extends ChoiceSource {
  slowness: Slowness;
  /** The step and the number of firings when it was passed over. */
  slowSince: number;
  slowFirings: number;
  /** The virtual time until which no timer may fire before it. */
  readonly deadline: number;
  /** Its first alternative. */
  main(): Alternative;
  /** Adds its further outcomes, or its batch. */
  addOutcomes(list: Alternative[]): void;
  addBatch(list: Alternative[]): void;
}
