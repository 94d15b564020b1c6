export { type Broadcast, broadcast } from './broadcast.ts';
export type { Closed } from './closed.ts';
export { LaggedError } from './errors.ts';
export type { Handle } from './handle.ts';
export type { RecvOptions } from './receive.ts';
export type { Receiver, TryRecv } from './receiver.ts';
export type { Sender } from './sender.ts';
export type { OnLag, ValuesOptions } from './values.ts';
export type { WeakSender } from './weak-sender.ts';
