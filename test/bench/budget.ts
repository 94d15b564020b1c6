/** What a figure may be. */
export interface Bound {
  /** `most`: it may be no more than that; `least`: it may be no less. */
  readonly kind: 'most' | 'least';
  readonly limit: number;
}

/** What our figure is held to. */
export interface Budget {
  /** Which of the row's subjects is held to it; default: the first. */
  readonly subject?: string;
  /**
   * The rival: `most` then bounds our figure divided by its figure, `least` its figure divided by ours (how many times
   * better we are). Without a rival the figure itself is bounded.
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

/** For what differs between the oldest Node that we support and a current one. */
export function byNode(on20: Bound, later: Bound): Bound {
  return process.versions.node.startsWith('20.') ? on20 : later;
}

export function isWithin(value: number, bound: Bound): boolean {
  return bound.kind === 'most' ? value <= bound.limit : value >= bound.limit;
}

/** How it is printed: `≤ 3`, `≥ 100 faster`. */
export function show({ kind, limit }: Bound): string {
  const number = limit.toLocaleString('en');
  return kind === 'most' ? `≤ ${number}` : `≥ ${number} better`;
}
