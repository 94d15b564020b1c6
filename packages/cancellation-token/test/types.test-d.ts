// Compiled, never run: test/types checks that each error below is the one in its comment.
import { CancellationToken } from '@quiesce/cancellation-token';

const parent = new CancellationToken({ name: 'parent' });
export const child: CancellationToken = parent.childToken({ name: 'child' });

// @ts-expect-error Argument of type 'CancellationToken' is not assignable to parameter of type 'TokenOptions'
export const noChild = new CancellationToken(parent);

// @ts-expect-error Type 'AbortSignal' has no properties in common with type 'TokenOptions'
export const noFollower = new CancellationToken(new AbortController().signal);
