import { reportUncaught } from '@quiesce/cancellation-token';
import { LeakError } from './errors.ts';

/** The report for a forgotten object. It must not refer to the object. */
interface Forgotten {
  readonly what: string;
  readonly remedy: string;
  readonly site: string | undefined;
}

/** Created by the first `watchLeak`: without leak detection it costs nothing. */
let registry: FinalizationRegistry<Forgotten> | undefined;

/** Reports `object` once if it is collected before `releaseLeak`. */
export function watchLeak(object: object, forgotten: Forgotten): void {
  registry ??= new FinalizationRegistry(({ what, remedy, site }) => reportUncaught(new LeakError(what, remedy, site)));
  registry.register(object, forgotten, object);
}

/** Removes the watch: `object` was released as intended. */
export function releaseLeak(object: object): void {
  registry?.unregister(object);
}
