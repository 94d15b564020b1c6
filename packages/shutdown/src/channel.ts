import type { Reporter } from './events.ts';
import { host } from './host.ts';

/** The name of the diagnostics channel that publishes each step of each shutdown. */
export const shutdownChannel = 'quiesce:shutdown';

const channel = host.getBuiltinModule('node:diagnostics_channel').channel(shutdownChannel);

/** Publishes each event. The error of a subscriber is uncaught, in a later tick. */
export const channelReporter: Reporter = (event, read) => {
  if (channel.hasSubscribers) channel.publish({ shutdown: read, ...event });
};
