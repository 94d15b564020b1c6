// A program that uses one part of a package, for `.size-limit.js`: bundlers should leave out the rest.
import { CancellationToken } from '@quiesce/cancellation-token';

const root = new CancellationToken();
const child = root.childToken();
root.cancel();
console.log(child.isCancelled);
