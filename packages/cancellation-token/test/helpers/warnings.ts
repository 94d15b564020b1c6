/** Returns the names of the process warnings that are emitted while `work` runs. */
export async function warningsDuring(work: () => unknown): Promise<string[]> {
  const names: string[] = [];
  const note = ({ name }: Error): void => void names.push(name);
  process.on('warning', note);
  try {
    await work();
    // Warnings are emitted one tick later.
    await new Promise((resolve) => setImmediate(resolve));
  } finally {
    process.off('warning', note);
  }
  return names;
}
