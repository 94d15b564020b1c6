// Where something happened in the code of the test: `search-box.test.ts:5`.

const FRAME = /^\s*at (?:.*?\()?(?:file:\/\/)?(?<path>[^()]+?):(?<line>\d+):\d+\)?$/;

/** The folder of this package, whose frames are left out. */
const own: string = folderOf(frames(new Error('place').stack)[0]?.path ?? '');

interface Frame {
  readonly path: string;
  readonly line: string;
}

function frames(stack: unknown): Frame[] {
  if (typeof stack !== 'string') return [];
  const found: Frame[] = [];
  for (const text of stack.split('\n')) {
    const { path, line } = FRAME.exec(text)?.groups ?? {};
    if (path !== undefined && line !== undefined) found.push({ path, line });
  }
  return found;
}

function folderOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1);
}

/** Returns the place of a stack: the first frame of the user, of a library otherwise, or an empty text. */
export function placeOf(stack: unknown): string {
  const outside = frames(stack).filter(
    ({ path }) => !path.startsWith('node:') && (own === '' || !path.startsWith(own)),
  );
  const frame = outside.find(({ path }) => !/[\\/]node_modules[\\/]/.test(path)) ?? outside[0];
  if (frame === undefined) return '';
  return `${frame.path.slice(folderOf(frame.path).length).replace(/\?.*$/, '')}:${frame.line}`;
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
