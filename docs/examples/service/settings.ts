/** What the service is told by its environment. */
export interface Settings {
  /** Where it listens; 0: wherever there is room. */
  readonly port: number;
  /** Which PostgreSQL holds what was done. */
  readonly databaseUrl: string;
  /** How many connections to it there are at most. */
  readonly databaseConnections: number;
  /** How many jobs are done at the same time. */
  readonly concurrency: number;
  /** How many jobs may wait besides. */
  readonly queue: number;
  /** How many milliseconds readiness says no before anything stops accepting. */
  readonly readinessDelay: number;
  /** How many milliseconds what is in flight may take. */
  readonly drainTimeout: number;
}

/** @throws Error that names the variable, for a value that is no whole number from its least one */
export function settingsOf(env: NodeJS.ProcessEnv): Settings {
  const { DATABASE_URL: databaseUrl } = env;
  if (databaseUrl === undefined)
    throw new Error('DATABASE_URL must say where PostgreSQL is: postgres://user@host:port/db');
  const whole = (name: string, preset: number, least: number): number => {
    const value = Number(env[name] ?? preset);
    if (Number.isSafeInteger(value) && value >= least) return value;
    throw new Error(`${name} must be a whole number from ${least}, got ${JSON.stringify(env[name])}`);
  };
  return {
    databaseUrl,
    port: whole('PORT', 8080, 0),
    databaseConnections: whole('DATABASE_CONNECTIONS', 8, 1),
    concurrency: whole('CONCURRENCY', 16, 1),
    queue: whole('QUEUE', 1_000, 0),
    readinessDelay: whole('READINESS_DELAY', 250, 0),
    drainTimeout: whole('DRAIN_TIMEOUT', 10_000, 0),
  };
}
