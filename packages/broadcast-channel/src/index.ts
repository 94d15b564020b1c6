export { type Broadcast, broadcast } from './broadcast.ts';
export type { ChannelEnd } from './channel-end.ts';
export { LaggedError } from './errors.ts';
export type { BroadcastRecvOptions } from './receive.ts';
export type { BroadcastReceiver, BroadcastTryRecv } from './receiver.ts';
export type { BroadcastValuesOptions, OnLag } from './receiver-iterator.ts';
export type { BroadcastSender } from './sender.ts';
export type { WeakBroadcastSender } from './weak-sender.ts';
