import type { CancellationToken } from '@quiesce/cancellation-token';
import { checkFunction, checkKind, checkTime } from '@quiesce/internal';
import type { Consumer, ConsumerRunConfig, EachBatchPayload, KafkaMessage } from 'kafkajs';
import { checkPeer } from './check-peer.ts';
import {
  checkJobOptions,
  type DrainableJobs,
  JobDrain,
  type JobDrainOptions,
  type RunningJob,
  startTimer,
} from './job-drain.ts';
import { LockLostError } from './lock-lost-error.ts';

export type { DrainableJobs, JobDrainOptions };
export { LockLostError };

/** Options for `drainableConsumer`. */
export interface DrainableConsumerOptions
  extends JobDrainOptions,
    Omit<ConsumerRunConfig, 'eachMessage' | 'eachBatch' | 'eachBatchAutoResolve'> {
  /** How many milliseconds apart heartbeats are sent while a message is in progress. Default: 3,000, as in KafkaJS. */
  readonly heartbeatInterval?: number | undefined;
  /**
   * The `sessionTimeout` of the consumer, in milliseconds. After that time without a heartbeat, the group gives its partitions to
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
  /** The topic of the message. */
  readonly topic: string;
  /** The partition of the topic. */
  readonly partition: number;
  /** The message, with its key, value, headers and offset. */
  readonly message: KafkaMessage;
}

const CALL = 'drainableConsumer';
const runOptions: readonly (keyof ConsumerRunConfig)[] = [
  ...(['autoCommit', 'autoCommitInterval', 'autoCommitThreshold', 'partitionsConsumedConcurrently'] as const),
];
const TOO_LATE =
  `${CALL}: heartbeatInterval must be shorter than sessionTimeout, or each message would lose its partition. ` +
  'Pass the values of kafka.consumer()';
/** The answers to a heartbeat of a consumer that has lost its partitions. */
const LOST = ['UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION', 'FENCED_INSTANCE_ID'];

/**
 * Runs a consumer of KafkaJS whose messages have tokens, and returns its drain.
 *
 * Use it in place of `consumer.run({ eachMessage })` in a process that deployments stop, or whose messages take longer than the
 * session of the consumer: heartbeats are sent while a message is in progress.
 *
 * - `stop`: starts no more messages.
 * - `drain`: waits until the messages in progress have ended and their offsets are committed, and then disconnects the consumer.
 * - `abort`, and the deadline of `drain`: cancels the tokens of the messages in progress.
 *
 * The offset of a message is committed only when its work fulfils. A message whose work ends because of the cancellation, or does
 * not end within `cleanupTimeout`, is received by the next consumer of the group. An error of the work makes KafkaJS retry it.
 *
 * The token is also cancelled with a `LockLostError` when the group has removed the consumer, when no heartbeat was
 * answered for `sessionTimeout`, and `rebalanceGrace` after a rebalance has begun.
 *
 * **Timing.** The promise fulfils when the consumer has joined its group. After `abort`, `drain` takes at most `cleanupTimeout`
 * and one second for the broker. After `stop`, a fetch that waits ends only after `maxWaitTimeInMs`.
 *
 * **Cancel safety.** No message is lost. A message may be received again when the process, its connection or its partition is
 * lost before the offset is committed.
 *
 * @param consumer a consumer that is connected and has subscribed
 * @param work receives the message and its token. Messages of one partition follow each other
 * @param options `name`; `cleanupTimeout`, `heartbeatInterval`, `sessionTimeout` and `rebalanceGrace` in ms; `autoCommit`,
 *   `autoCommitInterval`, `autoCommitThreshold` and `partitionsConsumedConcurrently` of `consumer.run`
 * @returns the drain, for `shutdown.add`
 * @throws (rejects) TypeError when `consumer` is not a consumer of kafkajs, the installed KafkaJS is not version 2, or an
 *   option is unknown or of the wrong kind; RangeError for a time out of range, or a `heartbeatInterval` that is not
 *   shorter than `sessionTimeout`; the error of `consumer.run`. `drain` rejects with the reason of its signal, when that
 *   has cancelled messages, and with a CleanupTimeoutError that names the messages that did not end
 * @see `Consumer.run` with `eachBatch` and `eachBatchAutoResolve: false` (kafkajs 2)
 * @example
 * <!-- not run: it needs a broker; packages/adapters/test/queues-guide.slow.test.ts runs the program of the guide -->
 *
 * ```ts
 * const orders = await drainableConsumer(consumer, async ({ message }, token) => {
 *   await fetch('https://shop.example/orders', { method: 'POST', body: message.value, signal: token.signal });
 * });
 * shutdown.add(orders);
 * ```
 */
export async function drainableConsumer(
  consumer: Consumer,
  work: (message: ConsumedMessage, token: CancellationToken) => unknown,
  options: DrainableConsumerOptions = {},
): Promise<DrainableJobs> {
  checkPeer(`${CALL}()`, 'kafkajs', [2]);
  checkKind(isConsumer(consumer), CALL, 'a consumer of kafkajs', consumer);
  checkFunction(CALL, work);
  checkJobOptions(CALL, options, ['heartbeatInterval', 'sessionTimeout', 'rebalanceGrace', ...runOptions]);
  const { name = 'kafka', cleanupTimeout, heartbeatInterval = 3_000, sessionTimeout = 30_000 } = options;
  const { rebalanceGrace = 30_000 } = options;
  checkTime(`${CALL}: heartbeatInterval`, heartbeatInterval);
  checkTime(`${CALL}: rebalanceGrace`, rebalanceGrace);
  if (heartbeatInterval >= sessionTimeout) throw new RangeError(TOO_LATE);
  const drain = new JobDrain(name, cleanupTimeout, {
    stop: () => consumer.stop(),
    close: async (isForced) => {
      const disconnecting = consumer.disconnect();
      if (isForced) disconnecting.catch(() => {});
      else await disconnecting;
    },
  });
  const given = Object.entries(options).filter(([key]) => (runOptions as readonly string[]).includes(key));
  await consumer.run({ ...Object.fromEntries(given), eachBatchAutoResolve: false, eachBatch });
  return drain;

  /** An offset that is not resolved is not committed: its message is fetched again. */
  async function eachBatch(payload: EachBatchPayload): Promise<void> {
    const { batch, isRunning, isStale, heartbeat } = payload;
    for (const message of batch.messages) {
      if (!isRunning() || isStale() || !drain.isAccepting || isPaused(batch)) return;
      if (!(await processMessage(payload, message))) return;
      payload.resolveOffset(message.offset);
      await heartbeat();
      await payload.commitOffsetsIfNecessary();
    }
  }

  /** Returns whether the offset of the message may be committed. */
  async function processMessage({ batch, heartbeat }: EachBatchPayload, message: KafkaMessage): Promise<boolean> {
    const { topic, partition } = batch;
    const running = drain.start(`${topic}[${partition}]@${message.offset}`);
    const session = watchSession(running, heartbeat);
    const outcome = await running.run((token) => work({ topic, partition, message }, token));
    session.end();
    // KafkaJS joins the group again after an error of a heartbeat.
    if (running.isLost) throw session.error ?? running.token.reason;
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.status === 'fulfilled';
  }

  /** Sends heartbeats while a message is in progress, and loses the message when its partition belongs to another consumer. */
  function watchSession(running: RunningJob, heartbeat: () => Promise<void>): Session {
    const lose = (why: string): void => running.lose(new LockLostError(running.name, why));
    let heldAt = performance.now();
    let endGrace: (() => void) | undefined;
    const session: Session = {
      error: undefined,
      end: () => {
        clearInterval(beats);
        endGrace?.();
      },
    };
    const beat = async (): Promise<void> => {
      // KafkaJS skips a heartbeat shortly after another one, so the last one may be older by one interval.
      if (performance.now() - heldAt >= sessionTimeout - heartbeatInterval) lose('its session has timed out');
      const begin = performance.now();
      await heartbeat();
      heldAt = begin;
    };
    const onError = (error: { readonly type?: string }): void => {
      session.error = error;
      if (LOST.includes(error.type ?? '')) lose('another consumer has its partition');
      if (error.type !== 'REBALANCE_IN_PROGRESS') return;
      // This answer, too, shows that the group knows the consumer.
      heldAt = performance.now();
      endGrace ??= startTimer(rebalanceGrace, () => lose('its group rebalances'));
    };
    const beats = setInterval(() => void beat().catch(onError), Math.min(heartbeatInterval, 2 ** 31 - 1)).unref();
    return session;
  }

  function isPaused({ topic, partition }: EachBatchPayload['batch']): boolean {
    return consumer.paused().some((paused) => paused.topic === topic && paused.partitions.includes(partition));
  }
}

/** The heartbeats during one message. */
interface Session {
  /** The error of the last heartbeat that failed. */
  error: unknown;
  end(): void;
}

function isConsumer(value: unknown): value is Consumer {
  const { run, stop, disconnect } = Object(value) as Partial<Consumer>;
  return [run, stop, disconnect].every((method) => typeof method === 'function');
}
