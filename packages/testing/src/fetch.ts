import type { OperationKind } from './operation.ts';

type Start = (kind: OperationKind, args: unknown[]) => Promise<unknown>;

/**
 * Makes a `fetch`. The signal does not reach the `Request`, which would keep a listener until it is collected.
 *
 * Relative addresses are those of `http://localhost`.
 */
export function fakeFetch(kind: OperationKind, isNamed: boolean, start: Start): typeof globalThis.fetch {
  const named: OperationKind = {
    ...kind,
    label: (args) => {
      const { method, url } = args[0] as Request;
      if (isNamed) return kind.label(args.slice(0, 1));
      const { pathname, search } = new URL(url);
      return `${method} ${pathname}${search}`;
    },
    fn: (args) => kind.fn?.(args.slice(0, 1)),
  };
  return async (input, init) => {
    const given = input instanceof Request ? input : undefined;
    const { signal, ...rest } = init ?? {};
    const target = given ?? new URL(String(input), 'http://localhost/');
    const request = new Request(given === undefined ? target : withoutSignal(given), rest);
    return (await start(named, [request, { signal: signal ?? given?.signal }])) as Response;
  };
}

/** Returns the same request with a signal of its own that never aborts. */
function withoutSignal(request: Request): Request {
  const { method, headers, body } = request;
  return new Request(request.url, {
    method,
    headers,
    ...(body === null ? {} : { body, duplex: 'half' }),
    signal: null,
  } as RequestInit);
}
