import type { CancellationToken } from '@quiesce/cancellation-token';
import { checkFunction, checkKind, checkTime } from '@quiesce/internal';
import type { Consumer, ConsumerRunConfig, EachBatchPayload, KafkaMessage } from 'kafkajs';
import { checkPeer } from './check-peer.ts';
import { checkJobOptions, type DrainableJobs, JobDrain, type JobDrainOptions, type RunningJob } from './job-drain.ts';
import { LockLostError } from './lock-lost-error.ts';

export type { DrainableJobs };
export { LockLostError };

/** Options for `drainableConsumer`. */
export interface DrainableConsumerOptions
  extends JobDrainOptions,
    Omit<ConsumerRunConfig, 'eachMessage' | 'eachBatch' | 'eachBatchAutoResolve'> {
  /** How many milliseconds apart heartbeats are sent while a message is in progress. Default: 3,000, as in KafkaJS. */
  readonly heartbeatInterval?: number | undefined;
  /**
   * The `sessionTimeout` of the consumer, in milliseconds: without a heartbeat for as long, the group gives its partitions to
   * other consumers. Default: 30,000, as in KafkaJS.
   */
  readonly sessionTimeout?: number | undefined;
  /**
   * How many milliseconds the message in progress may continue after its group has begun to rebalance. Must be shorter than the
   * `rebalanceTimeout` of the consumer, 60,000 by default. Default: 30,000.
   */
  readonly rebalanceGrace?: number | undefined;
}

/** A message, and where it comes from. */
export interface ConsumedMessage {
  readonly topic: string;
  readonly partition: number;
  readonly message: KafkaMessage;
}
