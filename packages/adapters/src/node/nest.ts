import {
  createParamDecorator,
  type DynamicModule,
  type ExecutionContext,
  HttpException,
  type INestApplication,
  Inject,
  type NestInterceptor,
  Scope,
} from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { type CancellationToken, isCancellationOf } from '@quiesce/cancellation-token';
import type { HealthResponse, HttpDrain } from '@quiesce/http-drain';
import { checkKind, checkOptions } from '@quiesce/internal';
import { Shutdown } from '@quiesce/shutdown';
import { catchError } from 'rxjs';
import { AppDrain, type AppDrainOptions, endedStatus, STOPPING } from './app-drain.ts';
import { checkPeer } from './check-peer.ts';

export type { AppDrainOptions } from './app-drain.ts';

/** The parts of a request of Node that are used here. */
interface NodeRequest {
  readonly method?: string;
  readonly url?: string;
}

/** The drain of a Nest app. */
export interface NestDrain {
  /** The drain of the server: its state, its report, and the token `draining`. */
  readonly httpDrain: HttpDrain;
}

/** The parts of an app that its types omit. */
interface NestApp {
  /** Passes the signal to the hooks, as for a signal of the process. */
  close(signal?: string): Promise<void>;
  enableShutdownHooks(): unknown;
  /** The signals of `enableShutdownHooks`. Protected, and the only trace of that call. */
  readonly activeShutdownSignals?: readonly string[];
}

/** The token of each request of Node. Not a property of the request: packages for authentication set `request.token`. */
const tokens: WeakMap<object, CancellationToken> = new WeakMap();

/**
 * Drains a NestJS app on shutdown, and then runs Nest's own lifecycle hooks, once and in order.
 *
 * - On shutdown, readiness turns 503, the listener closes, and the requests in progress are served. Then `app.close()` runs
 *   `onModuleDestroy`, `beforeApplicationShutdown` and `onApplicationShutdown`, in the phase `cleanup`. The hooks get the name
 *   of the signal.
 * - `GET /ready` answers 200 while the app runs, and 503 from the announcement on. `GET /live` answers 200 in every state.
 * - `@InjectToken()` gives a handler the token of its request.
 * - A handler that ends because of that token is answered with 503 and `Retry-After`, through the exception filters of the app.
 *
 * `app.enableShutdownHooks()` is refused. It would run the hooks at the signal, while requests are in progress, and then send the
 * signal to the process again. An app without a server needs only `shutdown.hook('nest', () => app.close())`.
 *
 * **Timing.** Synchronous. Call it after `NestFactory.create` and before `app.listen`.
 *
 * **Cancel safety.** The token of a request may be used after the response: it is then never cancelled. A request of another
 * server, as in tests, has the token `shutdown.stopNow`.
 *
 * @param app the app, on Express or Fastify
 * @param options `shutdown`; `readyPath`, `livePath`; `name` and the limits of `new HttpDrain`
 * @returns the drain, with `httpDrain`
 * @throws TypeError when `app` is not an app of Nest or has an HttpDrain already, `app.enableShutdownHooks()` was called,
 *   `shutdown` is missing, an option is unknown or of the wrong kind, or Nest is not version 11; RangeError for a number
 *   out of range; HookError when the shutdown has a hook of that name: give each app a `name`
 * @see Nest's `enableShutdownHooks`
 * @example
 * ```ts
 * import { NestFactory } from '@nestjs/core';
 * import { nestDrain } from '@quiesce/adapters/nest';
 *
 * class AppModule {
 *   onApplicationShutdown() {
 *     console.log('database closed');
 *   }
 * }
 *
 * const shutdown = new Shutdown(); // in a service: runMain((_scope, shutdown) => …)
 * const app = await NestFactory.create(AppModule, { abortOnError: false, logger: false });
 * nestDrain(app, { shutdown });
 * await app.listen(0, '127.0.0.1');
 * console.log((await fetch(`${await app.getUrl()}/ready`)).status); // => 200
 * shutdown.request('deploy');
 * console.log((await shutdown.stopped()).exitCode);
 * // => database closed
 * // => 0
 * ```
 */
export function nestDrain(app: INestApplication, options: AppDrainOptions): NestDrain {
  checkPeer('nestDrain()', '@nestjs/common', [11]);
  checkKind(typeof app?.getHttpAdapter === 'function', 'nestDrain', 'an app of NestFactory.create', app);
  const refuseHooks = (): never => {
    throw new TypeError(
      'app.enableShutdownHooks: nestDrain(app, { shutdown }) runs the lifecycle hooks on shutdown; remove this call, which would run ' +
        'them a second time, while requests are in progress',
    );
  };
  const { activeShutdownSignals = [] } = app as unknown as NestApp;
  if (activeShutdownSignals.length > 0) refuseHooks();
  const close = closeOnce(app as unknown as NestApp, () => drain.dispose());
  const drain = new AppDrain('nestDrain', 'nest', app.getHttpServer(), options, {
    close: ({ signal }) => close(signal),
  });
  // Not an assignment, which the proxy of Nest ignores.
  Object.defineProperties(app, {
    close: { value: close, configurable: true },
    enableShutdownHooks: { value: refuseHooks, configurable: true },
  });
  app.use((request: NodeRequest, response: HealthResponse, next: () => void) => {
    const check = drain.healthCheck(request.method, request.url?.replace(/[?#].*/s, ''));
    if (check !== undefined) return check(request, response);
    tokens.set(request, drain.tokenOf(request, tokens.get(request)));
    next();
  });
  const interceptor: NestInterceptor = {
    intercept: (execution, next) =>
      next.handle().pipe(
        catchError((error) => {
          throw endedError(error, execution);
        }),
      ),
  };
  const endedError = (error: unknown, execution: ExecutionContext): unknown => {
    if (execution.getType() !== 'http') return error;
    const http = execution.switchToHttp();
    const token = tokens.get(nodeRequest(http.getRequest()));
    if (token === undefined || !isCancellationOf(error, token)) return error;
    const response = http.getResponse();
    app.getHttpAdapter().setHeader(response, 'Retry-After', drain.retryAfter);
    return new HttpException(STOPPING.trim(), endedStatus(response.raw ?? response), { cause: error });
  };
  app.useGlobalInterceptors(interceptor);
  return { httpDrain: drain.httpDrain };
}

/** Returns a `close` that runs the lifecycle hooks once, also when the program and the shutdown both call it. */
function closeOnce(app: NestApp, closed: () => void): NestApp['close'] {
  // Not `app.close`: the app is a proxy that looks the function up at each call.
  const { close } = Object.getPrototypeOf(app) as NestApp;
  let closing: Promise<void> | undefined;
  return (signal) => {
    closing ??= close.call(app, signal).finally(closed);
    return closing;
  };
}

/** The key of the provider of the token of a request. */
const REQUEST_TOKEN = Symbol('@quiesce/adapters/nest: the token of a request');

/**
 * Injects the token of the current request, which is cancelled when the client has gone, and when the time for draining is over.
 *
 * As a decorator of a parameter of a handler it needs only {@link nestDrain}. As a decorator of a parameter of a constructor, or
 * of a property, it also needs {@link ShutdownModule}, and makes the class request-scoped. Prefer the parameter of the
 * handler, and pass the token on.
 *
 * In guards, interceptors and filters, call `httpDrain.tokenOf(request)` of the drain that {@link nestDrain} returns.
 *
 * **Timing.** The token exists before guards and pipes run.
 *
 * @throws TypeError for a request without a token: `nestDrain` was not called, or the handler is not one of HTTP
 * @see `@Req()` and `@Inject(REQUEST)` of Nest
 * @example
 * <!-- run by packages/adapters/test/nest.test.ts -->
 * ```typescript
 * @Controller('report')
 * class ReportController {
 *   @Get()
 *   report(@InjectToken() token: CancellationToken) {
 *     return this.db.query('select …', { signal: token.signal });
 *   }
 * }
 * ```
 */
export function InjectToken(): ParameterDecorator & PropertyDecorator {
  const inject = Inject(REQUEST_TOKEN);
  return (target: object, key: string | symbol | undefined, index?: number) => {
    if (key !== undefined && index !== undefined) handlerToken(target, key, index);
    else inject(target, key, index as number);
  };
}

/**
 * Provides the shutdown, and the token of each request, to the classes of an app. It is global.
 *
 * Inject the shutdown by its class: `constructor(private readonly shutdown: Shutdown)`. An app whose handlers only need
 * `@InjectToken()` does not need this module.
 *
 * @see Nest's dynamic modules
 * @example
 * ```ts
 * import { NestFactory } from '@nestjs/core';
 * import { ShutdownModule } from '@quiesce/adapters/nest';
 *
 * class AppModule {}
 *
 * const shutdown = new Shutdown({ name: 'shop' });
 * const root = { module: AppModule, imports: [ShutdownModule.forRoot({ shutdown })] };
 * const app = await NestFactory.create(root, { abortOnError: false, logger: false });
 * console.log(app.get(Shutdown).name); // => shop
 * ```
 */
// biome-ignore lint/complexity/noStaticOnlyClass: a module of Nest is a class
export class ShutdownModule {
  /**
   * Returns the module for the imports of the root module.
   *
   * @param options `shutdown`
   * @throws TypeError when `shutdown` is missing, or an option is unknown
   */
  static forRoot(options: { readonly shutdown: Shutdown }): DynamicModule {
    checkOptions('ShutdownModule.forRoot', options, ['shutdown']);
    const { shutdown } = Object(options) as { readonly shutdown: Shutdown };
    checkKind(typeof Object(shutdown).hook === 'function', 'ShutdownModule.forRoot: shutdown', 'a Shutdown', shutdown);
    const token = { provide: REQUEST_TOKEN, scope: Scope.REQUEST, inject: [REQUEST], useFactory: tokenOfRequest };
    const providers = [{ provide: Shutdown, useValue: shutdown }, token];
    return { module: ShutdownModule, global: true, providers, exports: providers };
  }
}

const handlerToken = createParamDecorator((_: unknown, execution: ExecutionContext) =>
  tokenOfRequest(execution.getType() === 'http' ? execution.switchToHttp().getRequest() : undefined),
)();

/** Returns the request of Node: on Fastify, a request contains it. */
function nodeRequest(request: unknown): object {
  const { raw = request } = Object(request) as { raw?: unknown };
  return Object(raw);
}

function tokenOfRequest(request: unknown): CancellationToken {
  const token = tokens.get(nodeRequest(request));
  if (token !== undefined) return token;
  throw new TypeError(
    'InjectToken: this is no HTTP request with a token: call nestDrain(app, { shutdown }) before app.listen',
  );
}
