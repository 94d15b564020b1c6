import type { Row } from './harness.ts';
import { crowded, deep } from './token/callbacks.ts';
import { besideLibraries, ownClosures, sharedFunction } from './token/cancel.ts';
import { firstLook, observed as observedChain, unobserved as unobservedChain } from './token/chain.ts';
import { row as child } from './token/child.ts';
import { row as deadline } from './token/deadline.ts';
import { row as foreign } from './token/foreign.ts';
import { observed, unobserved } from './token/memory.ts';
import './token/survivors.ts';

export const rows: readonly Row[] = [
  child,
  unobserved,
  observed,
  sharedFunction,
  ownClosures,
  besideLibraries,
  observedChain,
  unobservedChain,
  firstLook,
  crowded,
  deep,
  foreign,
  deadline,
];
