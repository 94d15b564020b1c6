// Finds real handles of the test, which the explorer neither orders nor awaits. Two tools, one cheap, one exact:
//
// - Each step compares the types of `process.getActiveResourcesInfo()` with those at the start. The runner has handles of its own,
//   so that a new one is only a suspicion.
// - An audited run knows the resources of the test itself, and their places, from `async_hooks`. It confirms suspicions, and finds
//   resources that no list shows: crypto, zlib, `import()`.

import { type AsyncContext, node, realProcess } from './host.ts';
import { placeOf, stackHere } from './place.ts';
import type { Run } from './run.ts';

/** Real resources by their type in Node, as people call them. */
const RESOURCES: readonly (readonly [RegExp, string])[] = [
  [/^Timeout$/, 'a real timer'],
  [
    /^(?:FSREQ|FILEHANDLE|DIRHANDLE|FSEVENT|STATWATCHER|FSReq|FileHandle|DirHandle|FSEvent|StatWatcher|CloseReq)/i,
    'a file',
  ],
  [/^(?:ZLIB|Zlib|BROTLI|ZSTD)/i, 'zlib'],
  [/^(?:TCP|TLS|PIPE|UDP|JSUDP|QUIC|HTTP2|TTYWRAP|Socket)/i, 'a socket'],
  [/^(?:GETADDRINFO|GETNAMEINFO|QUERYWRAP|DNSCHANNEL)/i, 'a name lookup'],
  [/^(?:WORKER|MESSAGEPORT|Worker|MessagePort)/i, 'a thread or message channel'],
  [/^(?:PROCESSWRAP|SIGNALWRAP|Process|Signal)/i, 'a process'],
  [
    /^(?:PBKDF2|KEYPAIR|KEYGEN|KEYEXPORT|CIPHER|DERIVEBITS|HASHREQUEST|RANDOM|SCRYPT|SIGNREQUEST|VERIFY|CHECKPRIME|ECDH|RSA)/i,
    'crypto',
  ],
];

/** Describes a type of resource. Returns `undefined` for one that belongs to a step, such as a promise. */
function describeResource(type: string): string | undefined {
  return RESOURCES.find(([form]) => form.test(type))?.[1];
}

/** Counts the active resources of each type. */
function activeResources(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const type of realProcess?.getActiveResourcesInfo?.() ?? []) counts.set(type, (counts.get(type) ?? 0) + 1);
  return counts;
}

/** Watches for real handles. One for an exploration. */
export class Handles {
  readonly #ignored: ReadonlySet<string>;
  #baseline = new Map<string, number>();

  constructor(ignored: ReadonlySet<string>) {
    // Node has two spellings: `FSReqPromise` in lists, `FSREQPROMISE` in hooks.
    this.#ignored = new Set([...ignored].map((type) => type.toLowerCase()));
    // Made lazily, at their first use.
    void realProcess?.stdout;
    void realProcess?.stderr;
    structuredClone(0);
    this.remember();
  }

  /** Counts the resources that are active now as the runner's. */
  remember(): void {
    this.#baseline = activeResources();
  }

  /** Looks at the resources that are active after a step. */
  inspect(): { hasImmediate: boolean; suspect: string | undefined } {
    const counts = activeResources();
    let hasImmediate = false;
    let suspect: string | undefined;
    for (const [type, count] of counts) {
      if (count <= (this.#baseline.get(type) ?? 0)) continue;
      if (type === 'Immediate') hasImmediate = true;
      else if (!this.isIgnored(type) && describeResource(type) !== undefined) suspect = type;
    }
    return { hasImmediate, suspect };
  }

  isIgnored(type: string): boolean {
    return this.#ignored.has(type.toLowerCase());
  }
}

/** Knows the resources that one run makes, from its first callback to its end. */
export class Audit {
  readonly #hook: { enable(): void; disable(): void } | undefined;
  readonly #own = new Set<number>();
  /** Where the callbacks of `nextTick` come from: streams and servers open their resources in one. */
  readonly #ticks = new Map<number, string>();
  readonly #run: Run;
  readonly #handles: Handles;
  readonly #root: AsyncContext | undefined;

  constructor(run: Run, handles: Handles) {
    this.#run = run;
    this.#handles = handles;
    const hooks = node.asyncHooks;
    if (hooks === undefined) return;
    this.#root = new hooks.AsyncResource('QuiesceRun');
    this.#own.add(this.#root.asyncId());
    run.addAsyncContext(this.#root.asyncId());
    const { executionAsyncId } = hooks;
    this.#hook = hooks.createHook({
      init: (id, type, trigger) => {
        if (!this.#own.has(executionAsyncId()) && !this.#own.has(trigger)) return;
        this.#own.add(id);
        run.addAsyncContext(id);
        if (type === 'TickObject') this.#ticks.set(id, this.#placeFrom(stackHere()));
        else if (type !== 'PROMISE' && type !== 'Microtask' && type !== 'Immediate') this.#made(type);
      },
    });
    this.#hook.enable();
  }

  /** Runs the callback of an event, so that its resources are known as the test's. */
  run(fn: () => void): void {
    if (this.#root === undefined) fn();
    else this.#root.runInAsyncScope(fn);
  }

  /** Whether code of the test is running. */
  isInside(): boolean {
    const id = node.asyncHooks?.executionAsyncId() ?? 0;
    return this.#own.has(id);
  }

  end(): void {
    this.#hook?.disable();
  }

  #made(type: string): void {
    const what = describeResource(type);
    if (what === undefined || this.#handles.isIgnored(type)) return;
    const stack = stackHere();
    // A runner may send the output to another process. Calls such as `gzipSync` end before they return.
    if (/node:internal\/console\/|\b(?:\w+Sync|syncBufferWrapper) \(node:/.test(stack)) return;
    // A socket of `fetch` is made long after the call.
    const place = this.#placeFrom(stack) || this.#run.fetchPlace;
    const name = this.#run.fetchPlace === '' ? what : `${what} for fetch`;
    failUnmodelled(this.#run, `${name} (${type})`, place);
  }

  /** The place of a stack, or that of the callback which is running. */
  #placeFrom(stack: string): string {
    return placeOf(stack) || (this.#ticks.get(node.asyncHooks?.executionAsyncId() ?? 0) ?? '');
  }
}

/** Fails a run whose test made something real. */
export function failUnmodelled(run: Run, what: string, place: string): void {
  const text = `The test made ${what}, which the explorer can neither order nor await`;
  run.fail(
    'unmodelled',
    new Error(`${text}. Replace it by a fake of the world, or pass its type in \`ignore\``),
    place,
  );
}
