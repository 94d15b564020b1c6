export { shutdownChannel } from './channel.ts';
export { checkGracePeriod, type GracePeriodOptions } from './check-grace-period.ts';
export { checkSignals, type ProcessFacts } from './check-signals.ts';
export type { AddOptions } from './drain-target.ts';
export { HookError } from './errors.ts';
export type { ShutdownEvent } from './events.ts';
export { type FormatLogEventOptions, formatLogEvent } from './format-log-event.ts';
export { type FormatOptions, formatReport } from './format-report.ts';
export type { ShutdownGuard } from './guard.ts';
export type { HookFunction, HookOutcome, HookPhase } from './hooks.ts';
export type { Installation, InstallOptions } from './install.ts';
export type { LogEvent, LogEventFields, LogLevel } from './log-event.ts';
export { logEventToJson } from './log-event-json.ts';
export type { ConsoleLogger, LogFunction, Logger, NestLogger, PinoLogger, WinstonLogger } from './logger.ts';
export type { ShutdownLimits, ShutdownOptions } from './options.ts';
export type { OutputStream, ProcessLike } from './process-like.ts';
export type {
  CutOffReport,
  DrainReport,
  HookReport,
  LeakReport,
  PhaseReport,
  ReportedError,
  ShutdownReport,
} from './report.ts';
export { reportToJson } from './report-json.ts';
export type { ShutdownRequest } from './request.ts';
export { type RunMainOptions, runMain } from './run-main.ts';
export { Shutdown } from './shutdown.ts';
export type { HookOptions, ShutdownHandle } from './shutdown-handle.ts';
export { type ShutdownOutcome, type ShutdownWithTimeoutOptions, shutdownWithTimeout } from './shutdown-with-timeout.ts';
export type { ShutdownForce, ShutdownProgress, ShutdownState } from './state.ts';
export { Terminal, type TextStream } from './terminal.ts';
