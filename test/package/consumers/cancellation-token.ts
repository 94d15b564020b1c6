// A user's program, compiled against the installed tarball and run with it. It throws on a wrong result.
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
if (seen.length !== 1 || registration.dispose()) throw new Error('the callback did not run once');
