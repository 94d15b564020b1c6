// Imitates a runtime without Node's process.
import { say } from './say.ts';

Object.defineProperty(globalThis, 'process', { value: undefined });
await import('@quiesce/shutdown').catch((error) => say(String(error)));
