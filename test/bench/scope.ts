import './scope/survivors.ts';
import type { Row } from './harness.ts';
import { cleanups, cleanupsBeside } from './scope/cancel.ts';
import { ages, besideEffect, besideOthers, trivialTasks, withSites } from './scope/spawn.ts';

export const rows: readonly Row[] = [
  trivialTasks,
  besideEffect,
  besideOthers,
  withSites,
  ages,
  cleanups,
  cleanupsBeside,
];
