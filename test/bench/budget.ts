/** The bounds of a figure. */
export interface Bound {
  /** `most`: the figure is at most this. `least`: the figure is at least this. */
  readonly kind: 'most' | 'least';
  readonly limit: number;
}

/** The bound on our figure. */
export interface Budget {
  /** The subject of the row that is bounded. Default: the first one. */
  readonly subject?: string;
  /**
   * The rival. `most` then bounds our figure divided by the rival's, and `least` the rival's divided by ours (how many times
   * better ours is). Without a rival, the figure itself is bounded.
   */
  readonly against?: string;
  readonly must?: Bound;
  readonly aim?: Bound;
}

export function atMost(limit: number): Bound {
  return { kind: 'most', limit };
}

export function atLeast(limit: number): Bound {
  return { kind: 'least', limit };
}

/** For figures that differ between the oldest supported Node and a current one. */
export function byNode(on20: Bound, later: Bound): Bound {
  return process.versions.node.startsWith('20.') ? on20 : later;
}

export function isWithin(value: number, bound: Bound): boolean {
  return bound.kind === 'most' ? value <= bound.limit : value >= bound.limit;
}

/** Formats a bound: `≤ 3`, `≥ 100 faster`. */
export function show({ kind, limit }: Bound): string {
  const number = limit.toLocaleString('en');
  return kind === 'most' ? `≤ ${number}` : `≥ ${number} better`;
}
