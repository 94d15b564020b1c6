import type { Interruption } from './interruption.ts';
import type { Alternative, SourceKind } from './source.ts';
import type { Pair } from './trace.ts';

const isInterruption = (kind: SourceKind): boolean => kind === 'signal' || kind === 'act';
const isExternal = (kind: SourceKind): boolean => isInterruption(kind) || kind === 'operation' || kind === 'stream';

/**
 * Returns the events that may start inside the step of the chosen one.
 *
 * Two events in one macrotask, one right after the other, are one schedule: only one of the two pairs has it.
 */
export function pairsOf(
  list: readonly Alternative[],
  choice: number,
  overlap: 'none' | 'cancel' | 'all',
): Pair[] | undefined {
  const chosen = list[choice]?.source;
  if (overlap === 'none' || chosen === undefined) return undefined;
  let pairs: Pair[] | undefined;
  for (let i = 0; i < list.length; i++) {
    const { source, variant } = list[i] as Alternative;
    if (source === chosen) continue;
    const from = firstPosition(chosen.kind, source.kind, variant, overlap);
    if (from === undefined) continue;
    pairs ??= [];
    pairs.push({ choice: i, isFree: source.kind === 'signal' && (source as Interruption).isFree, from });
  }
  return pairs;
}

function firstPosition(
  chosen: SourceKind,
  other: SourceKind,
  variant: number,
  overlap: 'cancel' | 'all',
): Pair['from'] | undefined {
  if (isInterruption(other)) return isInterruption(chosen) ? 'right after' : 'before';
  // Further outcomes and batches are left to choice points.
  const isMain = variant === 0 || (other === 'operation' && variant < 0);
  if (!isMain) return undefined;
  if (isInterruption(chosen)) return other === 'operation' && variant === 0 ? 'first round' : undefined;
  return overlap === 'all' && isExternal(chosen) && isExternal(other) ? 'right after' : undefined;
}
