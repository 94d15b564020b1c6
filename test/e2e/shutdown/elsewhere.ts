// A runtime without Node's process, as far as one can be had here.
import { say } from './say.ts';

Object.defineProperty(globalThis, 'process', { value: undefined });
await import('@quiesce/shutdown').catch((error) => say(String(error)));
