export { callable } from './callable.ts';
export {
  checkChoice,
  checkCount,
  checkFunction,
  checkIterable,
  checkKind,
  checkTime,
  dateTime,
  letGo,
  refuseExtra,
} from './check.ts';
export { defineDispose } from './dispose.ts';
export { leftOf, setTimer } from './early.ts';
export { isError, isNamed, nameError } from './errors.ts';
export { defineHandle } from './handle.ts';
export { ignore } from './ignore.ts';
export { defineInspect } from './inspect.ts';
export { append, type Chain, detach, type Link, remove } from './list.ts';
export { defineSource, misused } from './misused.ts';
export { checkOptions } from './options.ts';
export { Pair } from './pair.ts';
export { PromiseSource, recallPromise, rememberPromise, watchPromise } from './promise-source.ts';
export { refuseThenable } from './sendable.ts';
export { printed, show } from './show.ts';
export { reserveStack, withFramesOf } from './stack.ts';
export { isPromise, isThenable } from './thenable.ts';
export { replaceUncaughtHandler, reportError } from './uncaught.ts';
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
