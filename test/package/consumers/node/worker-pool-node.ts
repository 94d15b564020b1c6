// A user's program, compiled against the installed tarball and run with it. It throws on a wrong result.
import { CancellationToken } from '@quiesce/cancellation-token';
import { type RunInPoolOptions, receiveToken, shareToken, threadTask } from '@quiesce/worker-pool/node';

async function main(): Promise<void> {
  const token = new CancellationToken();
  const options: RunInPoolOptions = { signal: token, cleanupTimeout: 100 };
  const link = shareToken(token);
  const far = receiveToken(link.shared);
  const task = threadTask((input: number, own) => (own.isCancelled ? 0 : input));
  token.cancel('enough');
  if (!far.isCancelled || far.reason !== 'enough' || typeof task !== 'function' || options.cleanupTimeout !== 100) {
    throw new Error(`the far token says ${String(far.reason)}`);
  }
  link.dispose();
}

void main();
