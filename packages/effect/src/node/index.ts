export { CurrentShutdown } from './current-shutdown.ts';
export { inFlight } from './in-flight.ts';
export {
  type LaunchOptions,
  type LaunchWithOptions,
  launch,
  type ShutdownLayerOptions,
  shutdownLayer,
} from './launch.ts';
export { shutdownHook } from './shutdown-hook.ts';
