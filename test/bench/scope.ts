import './scope/survivors.ts';
import type { Row } from './harness.ts';
import { cleanups, cleanupsBeside } from './scope/cancel.ts';
import { besideEffect, besideOthers, trivialTasks, withSites } from './scope/spawn.ts';

export const rows: readonly Row[] = [trivialTasks, besideEffect, besideOthers, withSites, cleanups, cleanupsBeside];
