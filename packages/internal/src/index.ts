export { defineDispose } from './dispose.ts';
export { append, type Chain, type Link, remove } from './list.ts';
export { refuseThenable } from './sendable.ts';
export { show } from './show.ts';
export { type Parked, parkOn, unparkFrom, type WaiterItem, type WaiterList, wakeAll } from './waiters.ts';
