/** What is made to go wrong: a hook hangs, a second signal comes, a client never reads, a job ignores its token. */
export type Fault = 'hook' | 'signal' | 'client' | 'job';

export const faults: readonly Fault[] = ['hook', 'signal', 'client', 'job'];
