// Where something happened in the code of the test: `search-box.test.ts:5`.

const FRAME = /^\s*at (?:.*?\()?(?:file:\/\/)?(?<path>[^()]+?):(?<line>\d+):\d+\)?$/;

interface Frame {
  readonly path: string;
  readonly line: string;
}

/** Returns the frames of a stack, each when it is asked for: most callers need the first few of fifty. */
function* frames(stack: unknown): Generator<Frame> {
  if (typeof stack !== 'string') return;
  for (const text of stack.split('\n')) {
    const { path, line } = FRAME.exec(text)?.groups ?? {};
    if (path !== undefined && line !== undefined) yield { path, line };
  }
}

/** The folder of this package, whose frames are left out. */
const own: string = folderOf(frames(new Error('place').stack).next().value?.path ?? '');

function folderOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1);
}

/** Returns the place of a stack: the first frame of the user, of a library otherwise, or an empty text. */
export function placeOf(stack: unknown): string {
  let library = '';
  for (const { path, line } of frames(stack)) {
    if (path.startsWith('node:') || (own !== '' && path.startsWith(own))) continue;
    const place = `${path.slice(folderOf(path).length).replace(/\?.*$/, '')}:${line}`;
    if (!/[\\/]node_modules[\\/]/.test(path)) return place;
    if (library === '') library = place;
  }
  return library;
}

/** Returns the stack of the caller. A chain of awaits may be long. */
export function stackHere(): string {
  const v8 = Error as { stackTraceLimit?: number };
  const { stackTraceLimit } = v8;
  if (stackTraceLimit === undefined) return new Error('here').stack ?? '';
  v8.stackTraceLimit = 50;
  try {
    return new Error('here').stack ?? '';
  } finally {
    v8.stackTraceLimit = stackTraceLimit;
  }
}

export function placeHere(): string {
  return placeOf(stackHere());
}
