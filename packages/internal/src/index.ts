export { checkFunction, checkTime } from './check.ts';
export { defineDispose, defineGetter } from './dispose.ts';
export { leftOf } from './early.ts';
export { isNamed, nameError } from './errors.ts';
export { defineInspect } from './inspect.ts';
export { append, type Chain, detach, type Link, remove } from './list.ts';
export { checkOptions } from './options.ts';
export { Pair } from './pair.ts';
export { refuseThenable } from './sendable.ts';
export { printed, show } from './show.ts';
export { reserveStack } from './stack.ts';
export { isThenable } from './thenable.ts';
export {
  isParkedOn,
  type Parked,
  parkOn,
  unparkFrom,
  type WaiterItem,
  type WaiterList,
  wakeAll,
  wakeWhile,
} from './waiters.ts';
