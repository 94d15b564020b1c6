import type { ServerResponse } from 'node:http';

/** The arguments of `writeHead`: `(status, headers?)` or `(status, text, headers?)`. */
type HeadArguments = Parameters<ServerResponse['writeHead']> | readonly unknown[];

/**
 * Adds `Connection: close` to the head of a response when the head is written and the response is the last of its connection.
 * It overrides the header of the handler, such as a proxy that copies the headers of its upstream.
 *
 * @param isLast called when the head is written and not before: another request may follow this one
 * @param onMarked called when the head has the header
 */
export function markLastResponse(response: ServerResponse, isLast: () => boolean, onMarked: () => void): void {
  const { writeHead } = response;
  response.writeHead = (...head: readonly unknown[]): ServerResponse => {
    // A status below 200 is not the final response, and 101 has its own Connection header.
    if (response.headersSent || Number(head[0]) < 200 || !isLast()) return Reflect.apply(writeHead, response, head);
    response.shouldKeepAlive = false;
    Reflect.apply(writeHead, response, closing(response, head));
    // Node sets it again when another Connection header, set by an inner writeHead, keeps the connection alive.
    if (!response.shouldKeepAlive) onMarked();
    return response;
  };
}

/** Returns the arguments of `writeHead` with the header. Without headers among them, sets it on the response. */
function closing(response: ServerResponse, head: HeadArguments): readonly unknown[] {
  const at = typeof head[1] === 'string' || (head[2] !== undefined && head[2] !== null) ? 2 : 1;
  const headers: unknown = head[at];
  if (typeof headers !== 'object' || headers === null) {
    response.setHeader('Connection', 'close');
    return head;
  }
  const before = at === 2 ? head.slice(0, 2) : head.slice(0, 1);
  return [...before, Array.isArray(headers) ? closingList(headers) : closingObject(headers)];
}

function closingObject(headers: object): object {
  const others = Object.entries(headers).filter(([name]) => !isConnection(name));
  return { ...Object.fromEntries(others), Connection: 'close' };
}

/** Handles the forms `[name, value, …]`, as in `rawHeaders`, and `[[name, value], …]`. */
function closingList(headers: readonly unknown[]): readonly unknown[] {
  if (Array.isArray(headers[0])) {
    return [...headers.filter((pair) => !Array.isArray(pair) || !isConnection(pair[0])), ['Connection', 'close']];
  }
  const others = headers.filter((_, at) => !isConnection(headers[at - (at % 2)]));
  return [...others, 'Connection', 'close'];
}

function isConnection(name: unknown): boolean {
  return String(name).toLowerCase() === 'connection';
}
