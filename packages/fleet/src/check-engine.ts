import { checkKind } from '@quiesce/internal';
import type { FleetEngine } from './engine.ts';

/** @throws TypeError unless `engine` has the method `connect` */
export function checkEngine(call: string, engine: FleetEngine): void {
  checkKind(typeof engine?.connect === 'function', call, 'an engine, such as memoryEngine()', engine);
}
