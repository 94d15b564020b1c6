/** The names of what the process warns of while `work` runs. */
export async function warningsDuring(work: () => unknown): Promise<string[]> {
  const names: string[] = [];
  const note = ({ name }: Error): void => void names.push(name);
  process.on('warning', note);
  try {
    await work();
    // Warnings come a tick later.
    await new Promise((resolve) => setImmediate(resolve));
  } finally {
    process.off('warning', note);
  }
  return names;
}
