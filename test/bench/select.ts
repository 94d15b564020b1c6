import type { Row } from './harness.ts';
import { cooperation } from './select/cooperation.ts';
import { each } from './select/each.ts';
import { growth } from './select/growth.ts';
import { pending } from './select/pending.ts';
import { ready } from './select/ready.ts';

export const rows: readonly Row[] = [...pending, ...growth, ...ready, ...each, ...cooperation];
