import type { ShutdownEvent } from './events.ts';
import { host } from './host.ts';

/** The name of the diagnostics channel on which each step of each shutdown is published. */
export const shutdownChannel = 'quiesce:shutdown';

const channel = host.getBuiltinModule('node:diagnostics_channel').channel(shutdownChannel);

/** Tells whoever has subscribed; a subscriber that throws is the process's uncaught error, from a later tick. */
export function publish(shutdown: object, event: ShutdownEvent): void {
  if (channel.hasSubscribers) channel.publish({ shutdown, ...event });
}
