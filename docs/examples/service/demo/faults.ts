/** The fault that the demo provokes: a hook hangs, a second signal comes, a client never reads, or a job ignores its token. */
export type Fault = 'hook' | 'signal' | 'client' | 'job';

export const faults: readonly Fault[] = ['hook', 'signal', 'client', 'job'];
