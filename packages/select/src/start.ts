/** Chooses the branch that is looked at first, of so many, switched-off ones included. */
export type Start = (count: number) => number;

export function inOrder(): number {
  return 0;
}

function anywhere(count: number): number {
  return Math.floor(Math.random() * count);
}

/** A random start, by the user's random source or the platform's. */
export function starter(random: (() => number) | undefined): Start {
  if (random === undefined) return anywhere;
  return (count) => {
    const index = Math.floor(random() * count);
    if (index >= 0 && index < count) return index;
    throw new RangeError('select: random must return a number from 0 to below 1');
  };
}
