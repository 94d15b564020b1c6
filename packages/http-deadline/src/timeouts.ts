/** The header that this package writes by default. */
export const HEADER = 'quiesce-timeout-ms';

/** Milliseconds of the units of gRPC: hours, minutes, seconds, milli-, micro- and nanoseconds. */
const UNITS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

const GRPC = 'grpc-timeout';
/** The headers that state how long the client of a request waits. */
export const TIMEOUT_HEADERS: readonly string[] = [
  HEADER,
  GRPC,
  'connect-timeout-ms',
  'x-envoy-expected-rq-timeout-ms',
];

/** The largest value in ms: ten digits in the protocol of Connect, and eight in gRPC. */
const MOST = 9_999_999_999;
const MOST_OF_GRPC = 99_999_999;

/** Returns the time in one value of a header, in ms, or `Infinity` when the value is not valid. */
export function parseTimeout(header: string, value: string): number {
  if (header.toLowerCase() !== GRPC) return /^\s*\d{1,10}\s*$/.test(value) ? Number(value) : Number.POSITIVE_INFINITY;
  const [, digits, unit = ''] = /^\s*(\d{1,8})([HMSmun])\s*$/.exec(value) ?? [];
  return digits === undefined ? Number.POSITIVE_INFINITY : Number(digits) * (UNITS[unit] ?? Number.NaN);
}

/** Formats a time in ms as the value of a header, rounded down. */
export function formatTimeout(header: string, ms: number): string {
  const whole = Math.max(0, Math.floor(ms));
  return header.toLowerCase() === GRPC ? `${Math.min(whole, MOST_OF_GRPC)}m` : String(Math.min(whole, MOST));
}
