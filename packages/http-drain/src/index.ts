export type { HealthHandler, HealthResponse } from './health.ts';
export { HttpDrain, type HttpDrainState } from './http-drain.ts';
export type { DrainableApp, DrainableServer, HttpDrainOptions } from './options.ts';
export type { HttpDrainReport } from './report.ts';
