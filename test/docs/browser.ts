import { Window } from 'happy-dom';

/** Gives examples a document to render into, and nothing else of a browser: what Node has of the platform stays. */
export async function withDocument(run: () => Promise<void>): Promise<void> {
  const window = new Window();
  const names = ['window', 'document'] as const;
  const before = names.map((name) => Object.getOwnPropertyDescriptor(globalThis, name));
  Object.assign(globalThis, { window, document: window.document });
  try {
    await run();
  } finally {
    names.forEach((name, index) => {
      const kept = before[index];
      if (kept === undefined) Reflect.deleteProperty(globalThis, name);
      else Object.defineProperty(globalThis, name, kept);
    });
    await window.happyDOM.close();
  }
}
