import './scope/survivors.ts';
import type { Row } from './harness.ts';
import { ages, bytesOfAges } from './scope/ages.ts';
import { cleanups, cleanupsBeside } from './scope/cancel.ts';
import { besideEffect, besideOthers, trivialTasks, withSites } from './scope/spawn.ts';

export const rows: readonly Row[] = [
  trivialTasks,
  besideEffect,
  besideOthers,
  withSites,
  ages,
  bytesOfAges,
  cleanups,
  cleanupsBeside,
];
