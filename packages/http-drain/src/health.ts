import type { ServerState } from './server-state.ts';

/** What a health handler needs of a response; those of HTTP/1 and HTTP/2 have it. */
export interface HealthResponse {
  /** The status, written before the head is. */
  statusCode: number;
  /** Sets a header of the response. */
  setHeader(name: string, value: string): unknown;
  /** Sends the whole response. */
  end(body: string): unknown;
}

/** Answers a health check: `app.get('/ready', httpDrain.readiness)`. */
export type HealthHandler = (request: unknown, response: HealthResponse) => void;

/** A handler that answers 200 as long as `isWell` says so, else 503, and names the state. */
export function healthOf(state: ServerState, isWell: () => boolean): HealthHandler {
  return (_, response) => {
    response.statusCode = isWell() ? 200 : 503;
    response.setHeader('Content-Type', 'text/plain');
    response.setHeader('Cache-Control', 'no-store');
    response.end(`${state.phase}\n`);
  };
}
