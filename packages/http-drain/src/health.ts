import type { ServerState } from './server-state.ts';

/** The parts of a response that a health handler uses. Responses of HTTP/1 and HTTP/2 have them. */
export interface HealthResponse {
  /** The status code. Set before the head is sent. */
  statusCode: number;
  /** Sets a header of the response. */
  setHeader(name: string, value: string): unknown;
  /** Sends the whole response. */
  end(body: string): unknown;
}

/** Answers a health check, as in `app.get('/ready', httpDrain.readiness)`. */
export type HealthHandler = (request: unknown, response: HealthResponse) => void;

/** Returns a handler that answers with the state: 200 while `isWell` returns true, otherwise 503. */
export function healthOf(state: ServerState, isWell: () => boolean): HealthHandler {
  return (_, response) => {
    response.statusCode = isWell() ? 200 : 503;
    response.setHeader('Content-Type', 'text/plain');
    response.setHeader('Cache-Control', 'no-store');
    response.end(`${state.phase}\n`);
  };
}
