// A program of a user's, compiled against and run on the installed tarball; it throws when something is not as it should be.
import { CancellationToken, CancelledError, isCancellation, type Registration } from '@quiesce/cancellation-token';

const parent = new CancellationToken({ name: 'parent' });
const child: CancellationToken = parent.childToken();
const signal: AbortSignal = child.signal;
const seen: unknown[] = [];
const registration: Registration = child.onCancelled((reason) => seen.push(reason));

{
  using guard = parent.dropGuard();
  if (guard.token !== parent) throw new Error('the guard guards another token');
}

const { reason } = child;
if (!(reason instanceof CancelledError) || !isCancellation(reason, child)) throw new Error('no CancelledError');
if (!signal.aborted || signal.reason !== reason) throw new Error('the signal did not fire');
if (seen.length !== 1 || registration.unregister()) throw new Error('the callback did not run once');
