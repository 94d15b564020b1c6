/** Settings from the environment of the service. */
export interface Settings {
  /** The port; 0 chooses a free one. */
  readonly port: number;
  /** The PostgreSQL that records finished jobs. */
  readonly databaseUrl: string;
  /** The largest number of connections to it. */
  readonly databaseConnections: number;
  /** How many jobs run at the same time. */
  readonly concurrency: number;
  /** How many jobs may wait in the queue. */
  readonly queue: number;
  /** How many milliseconds the service is not ready before it stops accepting. */
  readonly readinessDelay: number;
  /** How many milliseconds work in flight may take to end. */
  readonly drainTimeout: number;
}

/** @throws Error that names the variable, for a value that is not a whole number from its minimum */
export function settingsOf(env: NodeJS.ProcessEnv): Settings {
  const { DATABASE_URL: databaseUrl } = env;
  if (databaseUrl === undefined)
    throw new Error('DATABASE_URL must be the address of PostgreSQL: postgres://user@host:port/db');
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
