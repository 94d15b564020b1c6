import type { CancellationToken } from '@quiesce/cancellation-token';
import type { DrainableApp, DrainableServer, HealthHandler, HttpDrainOptions } from '@quiesce/http-drain';
import { HttpDrain } from '@quiesce/http-drain';
import { checkCount, checkFunction, checkKind, checkOptions, checkTime } from '@quiesce/internal';
import type { Shutdown, ShutdownHandle, ShutdownRequest } from '@quiesce/shutdown';

/** Options for the drain of an app: those of `new HttpDrain`, the shutdown, and the paths of the health checks. */
export interface AppDrainOptions extends Omit<HttpDrainOptions, 'signal'> {
  /** The shutdown that drains the app. */
  readonly shutdown: Shutdown;
  /** The path of the readiness check: 200 only while running, otherwise 503. `false` for none. Default: `/ready`. */
  readonly readyPath?: string | false | undefined;
  /** The path of the liveness check: 200 in every state. `false` for none. Default: `/live`. */
  readonly livePath?: string | false | undefined;
}

/** The parts of a response of Node that tell whether it can still be sent. `stream` is that of HTTP/2. */
interface NodeResponse {
  readonly destroyed?: boolean;
  readonly stream?: { readonly destroyed: boolean };
}

/** The parts of a response of Node that have its headers. */
interface NodeHeaders {
  getHeaderNames(): readonly string[];
  removeHeader(name: string): void;
}

/** The parts of a drain in which frameworks differ. */
interface AppDrainParts {
  /** The part before the paths of the health checks. */
  readonly prefix?: string;
  /** Closes the app, in a hook with the name of the drain. */
  readonly close?: (request: ShutdownRequest) => unknown;
}

/** The body of a 503. */
export const STOPPING = 'This server is stopping. Please try again.\n';

const ownOptions = ['shutdown', 'readyPath', 'livePath'];
const drainOptions = ['name', 'idleGrace', 'cleanupTimeout', 'retryAfter', 'refuse', 'upgraded', 'deadline', 'clock'];

/** The parts that the drains of all frameworks share. */
export class AppDrain {
  readonly httpDrain: HttpDrain;
  /** The value of `Retry-After`. */
  readonly retryAfter: string;
  readonly #shutdown: Shutdown;
  /** The handler of each health check, by its path. */
  readonly checks: Map<string, HealthHandler> = new Map();
  /** The handles of the drain and of its hook in the shutdown. */
  readonly #handles: ShutdownHandle[] = [];

  /**
   * Creates the drain of a server, and adds it to the shutdown. When it throws, the shutdown is unchanged.
   *
   * @param call the call that the user wrote, for errors
   * @param defaultName the default name
   */
  constructor(
    call: string,
    defaultName: string,
    server: DrainableServer | DrainableApp,
    options: AppDrainOptions,
    { prefix = '', close }: AppDrainParts = {},
  ) {
    checkServer(call, server);
    checkAppDrainOptions(call, options);
    const { shutdown, readyPath = '/ready', livePath = '/live', name = defaultName, refuse, ...rest } = options;
    // First, because a name that is taken must leave the server without a drain.
    if (close !== undefined) this.#handles.push(shutdown.hook(name, (_, request) => close(request)));
    try {
      this.httpDrain = new HttpDrain(server, {
        ...rest,
        name,
        refuse: (request, response) => {
          const check = this.healthCheck(request.method, request.url?.replace(/[?#].*/s, ''));
          if (check !== undefined) check(request, response);
          else if (refuse !== undefined) return refuse(request, response);
          else response.setHeader('Content-Type', 'text/plain').end(STOPPING);
          return undefined;
        },
      });
      this.#handles.push(shutdown.add(this.httpDrain));
    } catch (error) {
      this.dispose();
      throw error;
    }
    if (readyPath !== false) this.checks.set(prefix + readyPath, this.httpDrain.readiness);
    if (livePath !== false) this.checks.set(prefix + livePath, this.httpDrain.liveness);
    this.retryAfter = String(rest.retryAfter ?? 1);
    this.#shutdown = shutdown;
  }

  /** Removes the drain and its hook from the shutdown, unless it has reached them. */
  dispose(): void {
    for (const handle of this.#handles) handle.dispose();
  }

  /** Returns the handler of a request when it is a health check. */
  healthCheck(method: string | undefined, path: string | undefined): HealthHandler | undefined {
    return method === 'GET' || method === 'HEAD' ? this.checks.get(path ?? '') : undefined;
  }

  /**
   * Returns the token of a request. A request of another server keeps the token `known`, which the drain of that server has set. A
   * request without a drained server, as in tests, has the token of the shutdown.
   */
  tokenOf(request: object | undefined, known?: CancellationToken): CancellationToken {
    try {
      return this.httpDrain.tokenOf(request as object);
    } catch {
      return known ?? this.#shutdown.stopNow;
    }
  }
}

/** Returns the status of a request that its token has ended. 499 is that of nginx for a client that has gone. */
export function endedStatus(response: NodeResponse | undefined): 499 | 503 {
  return (response?.stream ?? response)?.destroyed === true ? 499 : 503;
}

/** Removes the headers that describe another body, or let caches keep it: a 503 must be readable, and must not be stored. */
export function removeBodyHeaders(response: NodeHeaders): void {
  for (const name of response.getHeaderNames()) {
    if (/^(content-(?!security)|cache-control$|etag$|expires$|last-modified$)/i.test(name)) response.removeHeader(name);
  }
}

/** An app of Express has `listen`, too. Only a server has `address`. */
function checkServer(call: string, server: unknown): void {
  const { server: inner = server } = Object(server) as { readonly server?: unknown };
  const isServer = typeof (Object(inner) as { readonly address?: unknown }).address === 'function';
  checkKind(isServer, call, 'a server such as createServer(app)', server);
}

function checkAppDrainOptions(call: string, options: AppDrainOptions): void {
  checkOptions(call, options, [...ownOptions, ...drainOptions]);
  const { shutdown, readyPath, livePath, idleGrace, retryAfter, refuse, upgraded, deadline } = Object(
    options,
  ) as AppDrainOptions;
  checkKind(typeof Object(shutdown).add === 'function', `${call}: shutdown`, 'a Shutdown', shutdown);
  for (const [key, path] of Object.entries({ readyPath, livePath })) {
    const isPath = path === undefined || path === false || (typeof path === 'string' && path.startsWith('/'));
    checkKind(isPath, `${call}: ${key}`, 'a path such as "/ready", or false', path);
  }
  if (idleGrace !== undefined) checkTime(`${call}: idleGrace`, idleGrace);
  if (retryAfter !== undefined) checkCount(`${call}: retryAfter`, retryAfter, 0);
  if (deadline !== undefined && typeof deadline !== 'boolean') {
    checkOptions(`${call}: deadline`, deadline, ['maxTimeout']);
  }
  if (refuse !== undefined) checkFunction(`${call}: refuse`, refuse);
  if (upgraded !== undefined) checkFunction(`${call}: upgraded`, upgraded);
}
