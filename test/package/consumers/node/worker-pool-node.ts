// A program of a user's, compiled against and run on the installed tarball; it throws when something is not as it should be.
import { CancellationToken } from '@quiesce/cancellation-token';
import { type RunInPoolOptions, receiveToken, shareToken, threadTask } from '@quiesce/worker-pool/node';

async function main(): Promise<void> {
  const token = new CancellationToken();
  const options: RunInPoolOptions = { token, grace: 100 };
  const link = shareToken(token);
  const far = receiveToken(link.shared);
  const task = threadTask((input: number, own) => (own.isCancelled ? 0 : input));
  token.cancel('enough');
  if (!far.isCancelled || far.reason !== 'enough' || typeof task !== 'function' || options.grace !== 100) {
    throw new Error(`the far token says ${String(far.reason)}`);
  }
  link.dispose();
}

void main();
