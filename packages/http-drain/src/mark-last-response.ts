import type { ServerResponse } from 'node:http';

/** What `writeHead` takes: `(status, headers?)` or `(status, text, headers?)`. */
type HeadArguments = Parameters<ServerResponse['writeHead']> | readonly unknown[];

/**
 * Sees the head of a response when it is written, however that is done, and makes it say `Connection: close` where it is
 * the last of its connection: whatever the handler has set or sets, as a proxy does that copies an upstream's headers.
 *
 * @param isLast asked when the head is written, and not before: another request may come behind this one
 * @param said called when the head says so
 */
export function markLastResponse(response: ServerResponse, isLast: () => boolean, onMarked: () => void): void {
  const { writeHead } = response;
  response.writeHead = (...head: readonly unknown[]): ServerResponse => {
    // Below 200 it is no answer yet, and 101 has a Connection header of its own.
    if (response.headersSent || Number(head[0]) < 200 || !isLast()) return Reflect.apply(writeHead, response, head);
    response.shouldKeepAlive = false;
    Reflect.apply(writeHead, response, closing(response, head));
    // Node sets it again for a header that says something else, as one can that was set further below.
    if (!response.shouldKeepAlive) onMarked();
    return response;
  };
}

/** The arguments of `writeHead` with the header; without headers among them, it is set on the response. */
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

/** `[name, value, …]`, as `rawHeaders`, or `[[name, value], …]`. */
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
