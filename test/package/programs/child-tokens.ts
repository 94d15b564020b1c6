// A program for `.size-limit.js` that uses one part of a package. Bundlers should leave out the rest.
import { CancellationToken } from '@quiesce/cancellation-token';

const root = new CancellationToken();
const child = root.childToken();
root.cancel();
console.log(child.isCancelled);
