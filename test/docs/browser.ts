import { Window } from 'happy-dom';

/** Provides a document into which examples render. The other globals stay those of Node. */
export async function withDocument(run: () => Promise<void>): Promise<void> {
  const window = new Window();
  const { document, navigator } = window;
  const given = Object.entries({ window, document, navigator });
  const before = given.map(([name]) => Object.getOwnPropertyDescriptor(globalThis, name));
  for (const [name, value] of given) Object.defineProperty(globalThis, name, { value, configurable: true });
  try {
    await run();
  } finally {
    given.forEach(([name], index) => {
      const kept = before[index];
      if (kept === undefined) Reflect.deleteProperty(globalThis, name);
      else Object.defineProperty(globalThis, name, kept);
    });
    await window.happyDOM.close();
  }
}
