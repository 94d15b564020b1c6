// The work of the workers of main.ts.
import { type CancellationToken, checkpoint } from 'quiesce';

export interface Order {
  readonly loop: 'deaf' | 'reading' | 'yielding';
  /** Gets a message when the loop starts. */
  readonly started: MessagePort;
}

/** Computes until its token is cancelled, in one of three ways, and returns the reason. */
export async function work({ loop, started }: Order, token: CancellationToken): Promise<unknown> {
  started.postMessage('started');
  for (;;) {
    if (loop === 'deaf') continue;
    if (token.isCancelled) return token.reason;
    if (loop === 'yielding') await checkpoint(token).catch(() => {});
  }
}
