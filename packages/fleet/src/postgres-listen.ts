/**
 * The subscription of one member: a connection that listens, or a timer that polls.
 *
 *     listen ──► probe ──hint within 1 s──► push ──end of the connection──► broken
 *                  └──────no hint─────────► polling ──a poll that fails, or a later probe with a hint──► broken
 *
 * Invariants
 *  1. The probe goes through the pool, while the listening connection is idle. On the listening connection, a pooler would deliver
 *     the hint of the probe, and no other.
 *  2. At the close, the listening connection is ended and not given back. Its next owner would receive the hints.
 */

import { systemClock, type Timer } from '@quiesce/cancellation-token';
import { ignore } from '@quiesce/internal';
import type { FleetListener, FleetSubscription, FleetTopic } from './engine.ts';
import { withLimit } from './limit.ts';
import { giveBack, type PostgresCalls, type PostgresClient } from './postgres-client.ts';

const TOPICS: readonly FleetTopic[] = ['cancels', 'inbox', 'slots'];
const PROBE_MS = 1_000;
/** How many polls pass before another probe. After each, twice as many: most poolers never deliver one. */
const POLLS = 120;

export interface ListenSettings {
  readonly namespace: string;
  readonly me: string;
  /** Opens the listening connection. `undefined`: the subscription polls. */
  readonly connect: (() => Promise<PostgresClient>) | undefined;
  /** In ms. */
  readonly poll: number;
  /** Called when hints do not arrive. */
  onSwallowed(): void;
}

export async function subscribe(
  calls: PostgresCalls,
  settings: ListenSettings,
  on: FleetListener,
): Promise<FleetSubscription> {
  const { connect } = settings;
  if (connect === undefined) return await polling(calls, settings, on);
  const pushed = await push(calls, settings, connect, on);
  if (pushed !== undefined) return pushed;
  settings.onSwallowed();
  return await polling(calls, settings, on, async () => {
    const again = await push(calls, settings, connect, { changed: ignore, broken: ignore });
    await again?.close();
    return again !== undefined;
  });
}

/** Returns the subscription, or `undefined` when no hint arrives. */
async function push(
  calls: PostgresCalls,
  { namespace, me }: ListenSettings,
  connect: () => Promise<PostgresClient>,
  on: FleetListener,
): Promise<FleetSubscription | undefined> {
  const client = await calls.open(connect);
  let state: 'probing' | 'open' | 'ended' = 'probing';
  let channels: readonly string[] = [];
  let probed: (isPushed: boolean) => void = ignore;
  let failed: (error: unknown) => void = ignore;
  const probe = new Promise<boolean>((resolve, reject) => {
    probed = resolve;
    failed = reject;
  });
  probe.catch(ignore);
  const finish = (error: Error = new Error('postgresEngine: the subscription is closed')): void => {
    if (state === 'ended') return;
    state = 'ended';
    calls.subscriptions.delete(close);
    giveBack(client, error);
    failed(error);
  };
  const close = (): void => finish();
  calls.subscriptions.add(close);
  const broken = (cause: unknown): void => {
    const wasOpen = state === 'open';
    const error = new Error('postgresEngine: the listening connection has ended', { cause });
    finish(error);
    if (wasOpen) on.broken(error);
  };
  client.on?.('error', broken);
  client.on?.('end', broken);
  client.on?.('notification', (message) => {
    const topic = TOPICS[channels.indexOf((message as { readonly channel: string }).channel)];
    if (state === 'probing') probed(true);
    else if (state === 'open' && topic !== undefined) on.changed(topic);
  });
  try {
    channels = (await calls.callOn(client, 'listen', [namespace, me])) as string[];
    // A pool without another free connection answers when this one is given back.
    calls.call('hint', namespace, me).catch(ignore);
    const timer = systemClock.setTimer(Math.min(PROBE_MS, calls.limit / 3), () => probed(false), { ref: false });
    const isPushed = await probe.finally(() => systemClock.clearTimer(timer));
    if (!isPushed) {
      // A pooler keeps its session with the server, and probably uses the same session again.
      const forget = channels.map((channel) => `UNLISTEN ${channel}`).join(';');
      await withLimit(systemClock, calls.limit, 'UNLISTEN', () => client.query(forget)).catch(ignore);
      finish(new Error('postgresEngine: no notification arrives'));
      return undefined;
    }
  } catch (error) {
    finish(error as Error);
    throw error;
  }
  state = 'open';
  return {
    hints: 'push',
    async check() {
      if (state === 'ended') throw new Error('postgresEngine: the subscription has ended');
      await withLimit(systemClock, calls.limit, 'SELECT 1', () => client.query('SELECT 1'));
    },
    async close() {
      finish();
    },
  };
}

interface Peek {
  readonly cursor: unknown;
  /** The numbers of topics that have changed, from 1. */
  readonly changed: readonly number[];
}

/** @param probe whether hints arrive now. The subscription then breaks, so that the next one listens */
async function polling(
  calls: PostgresCalls,
  { namespace, me, poll }: ListenSettings,
  on: FleetListener,
  probe?: () => Promise<boolean>,
): Promise<FleetSubscription> {
  const peek = async (cursor: unknown): Promise<Peek> =>
    (await calls.call('peek', namespace, me, cursor === undefined ? null : JSON.stringify(cursor))) as Peek;
  const pollOnce = async (after: unknown): Promise<void> => {
    try {
      const { cursor, changed } = await peek(after);
      for (const i of changed) if (calls.subscriptions.has(end)) on.changed(TOPICS[i - 1] as FleetTopic);
      if (calls.subscriptions.has(end)) timer = pollLater(cursor);
    } catch (error) {
      if (calls.subscriptions.delete(end)) on.broken(error);
    }
  };
  let probedAt = systemClock.now();
  let pause = POLLS * poll;
  const probeAgain = async (): Promise<void> => {
    if (probe === undefined || systemClock.now() - probedAt < pause) return;
    probedAt = Number.POSITIVE_INFINITY;
    pause *= 2;
    const isPushed = await probe().catch(() => false);
    probedAt = systemClock.now();
    if (!isPushed || !calls.subscriptions.has(end)) return;
    end();
    on.broken(new Error('postgresEngine: notifications arrive again'));
  };
  const pollLater = (cursor: unknown): Timer => systemClock.setTimer(poll, () => void pollOnce(cursor), { ref: false });
  const { cursor } = await peek(undefined);
  let timer = pollLater(cursor);
  const end = (): void => {
    calls.subscriptions.delete(end);
    systemClock.clearTimer(timer);
  };
  calls.subscriptions.add(end);
  return {
    hints: 'polling',
    async check() {
      if (!calls.subscriptions.has(end)) throw new Error('postgresEngine: the subscription has ended');
      void probeAgain();
    },
    async close() {
      end();
    },
  };
}
