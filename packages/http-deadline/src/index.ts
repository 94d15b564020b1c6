export { type DeadlineFetchOptions, deadlineFetch } from './deadline-fetch.ts';
export { type ExtractDeadlineOptions, extractDeadline } from './extract-deadline.ts';
export type { DeadlineHeaders, ReadableHeaders } from './headers.ts';
export { type InjectDeadlineOptions, injectDeadline } from './inject-deadline.ts';
