// The parts of vitest's `vi` that our tests use, on the libraries that vitest uses.
import { type Clock, type FakeMethod, withGlobal } from '@sinonjs/fake-timers';
import { fn, restoreAllMocks, spyOn } from '@vitest/spy';
import { host } from './host.ts';

/** What `vi.setConfig` may change; the runner reads it when a test is collected. */
export const config = { testTimeout: 0, hookTimeout: 0 };

const stubbedEnv = new Map<string, string | undefined>();
const stubbed = new Map<string, PropertyDescriptor | undefined>();
let clock: Clock | undefined;

function setEnv(name: string, value: string | undefined): void {
  if (value === undefined) Reflect.deleteProperty(host.env, name);
  else host.env[name] = value;
}

function faked(): Clock {
  if (clock === undefined) throw new Error('timers are not faked: call vi.useFakeTimers() first');
  return clock;
}

export const vi = {
  fn,
  spyOn,
  restoreAllMocks,
  setConfig: (changes: Partial<typeof config>): void => void Object.assign(config, changes),

  useFakeTimers: ({ toFake }: { toFake?: FakeMethod[] } = {}): void => {
    const real = withGlobal(globalThis);
    const all = Object.keys(real.timers) as FakeMethod[];
    const usual = all.filter((name) => name !== 'nextTick' && name !== 'queueMicrotask');
    clock?.uninstall();
    clock = real.install({ now: Date.now(), toFake: toFake ?? usual, ignoreMissingTimers: true });
  },
  useRealTimers: (): void => {
    clock?.uninstall();
    clock = undefined;
  },
  advanceTimersByTime: (ms: number): void => void faked().tick(ms),
  getTimerCount: (): number => faked().countTimers(),
  setSystemTime: (time: number): void => faked().setSystemTime(time),

  stubGlobal: (name: string, value: unknown): void => {
    if (!stubbed.has(name)) stubbed.set(name, Object.getOwnPropertyDescriptor(globalThis, name));
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: true });
  },
  stubEnv: (name: string, value: string | undefined): void => {
    if (!stubbedEnv.has(name)) stubbedEnv.set(name, host.env[name]);
    setEnv(name, value);
  },
  unstubAllEnvs: (): void => {
    for (const [name, before] of stubbedEnv) setEnv(name, before);
    stubbedEnv.clear();
  },
  unstubAllGlobals: (): void => {
    for (const [name, before] of stubbed) {
      if (before === undefined) Reflect.deleteProperty(globalThis, name);
      else Object.defineProperty(globalThis, name, before);
    }
    stubbed.clear();
  },
};
