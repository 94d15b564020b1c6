export type { AttachedFleet, FleetAttachOptions, FleetShutdown } from './attach.ts';
export type {
  ConnectOptions,
  EngineConnection,
  FleetEngine,
  FleetListener,
  FleetRecord,
  FleetSubscription,
  FleetTopic,
  LogPage,
  MemberRecord,
  SlotAnswer,
  SlotRequest,
  StoredRecord,
} from './engine.ts';
export { CancelIncompleteError, EngineUnavailableError, LeaseLostError, SchemaError } from './errors.ts';
export type { Fleet } from './fleet.ts';
export type { FleetCancelOptions, FleetInspection, FleetRunOptions } from './fleet-options.ts';
export { type JoinFleetOptions, joinFleet } from './join-fleet.ts';
export { type FleetKey, fleetKey } from './key.ts';
export type { FleetLeaseOptions } from './lease-options.ts';
export type { HeldLease } from './leases.ts';
export type { FleetState, LinkCounters } from './link.ts';
export type { FleetMember } from './members.ts';
export { type MemoryEngineOptions, memoryEngine } from './memory-engine.ts';
export type {
  NatsBucket,
  NatsBucketOptions,
  NatsClient,
  NatsEngineOptions,
  NatsEntry,
  NatsKvm,
  NatsStatus,
  NatsWatch,
  NatsWatchEntry,
} from './nats-client.ts';
export { natsEngine } from './nats-engine.ts';
export type { CancelUntil } from './pending-cancel.ts';
export type { PostgresClient, PostgresPool, PostgresQueryable } from './postgres-client.ts';
export { type PostgresEngineOptions, postgresEngine } from './postgres-engine.ts';
export { createPostgresSchema, type PostgresSchemaOptions, postgresSchema } from './postgres-schema.ts';
export { decodeReason, encodeReason } from './reason.ts';
export type { CancelReceipt, NodeReceipt } from './receipt.ts';
export type { RedisClient } from './redis-client.ts';
export { type RedisEngineOptions, redisEngine } from './redis-engine.ts';
export type { FleetRun } from './runs.ts';
