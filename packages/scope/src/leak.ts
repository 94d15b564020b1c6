import { reportUncaught } from '@quiesce/cancellation-token';
import { LeakError } from './errors.ts';

/** What is said of an object when it was forgotten; it must not refer to the object. */
interface Forgotten {
  readonly what: string;
  readonly remedy: string;
  readonly site: string | undefined;
}

/** Made when first needed: only who asks for the detection pays for it. */
let registry: FinalizationRegistry<Forgotten> | undefined;

/** Reports `object` once if it is collected before it is released. */
export function watchLeak(object: object, forgotten: Forgotten): void {
  registry ??= new FinalizationRegistry(({ what, remedy, site }) => reportUncaught(new LeakError(what, remedy, site)));
  registry.register(object, forgotten, object);
}

/** It was released as it should be. */
export function releaseLeak(object: object): void {
  registry?.unregister(object);
}
