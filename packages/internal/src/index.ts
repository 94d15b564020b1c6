export { type BackoffOptions, backoffOf, backoffOptions } from './backoff.ts';
export {
  checkChoice,
  checkCount,
  checkFunction,
  checkHeaderName,
  checkIterable,
  checkKind,
  checkNumber,
  checkTime,
  dateTime,
  refuseExtra,
  releaseArgument,
} from './check.ts';
export { isError, isNamed, nameError } from './errors.ts';
export { callable, ignore } from './functions.ts';
export { defineDispose, defineHandle } from './handle.ts';
export { defineInspect } from './inspect.ts';
export { append, type Chain, type Link, remove, removeInner } from './list.ts';
export { defineSource, misused } from './misused.ts';
export { checkOptions } from './options.ts';
export { Pair } from './pair.ts';
export { PromiseSource, recallPromise, rememberPromise, watchPromise } from './promise-source.ts';
export { show, toText } from './show.ts';
export { callSite, reserveStack, withFramesOf } from './stack.ts';
export { isPromise, isThenable, refuseThenable } from './thenable.ts';
export { remainingTime, setTimer } from './timer.ts';
export { replaceUncaughtHandler, reportError } from './uncaught.ts';
export {
  createWaiter,
  isParkedOn,
  type Parked,
  parkOn,
  unparkFrom,
  type WaiterItem,
  type WaiterList,
  wakeAll,
  wakeWhile,
} from './waiters.ts';
