export { broadcast } from './broadcast.ts';
export { LaggedError } from './errors.ts';
export type { Receiver, RecvOptions, TryRecv } from './receiver.ts';
export type { Sender } from './sender.ts';
export type { OnLag, ValuesOptions } from './values.ts';
