/**
 * Refuses a fleet whose `retention` differs from that of its namespace. Members count the age of a cancel by it.
 *
 * @throws RangeError
 */
export function checkRetention(namespace: string, stored: number, retention: number): void {
  if (stored === retention) return;
  throw new RangeError(
    `joinFleet: retention is ${retention}, but the namespace ${JSON.stringify(namespace)} has ${stored}: ` +
      'write the same value in all members, or another namespace',
  );
}
