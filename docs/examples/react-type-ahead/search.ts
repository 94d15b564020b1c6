// The search: in place of yours.

export async function search(text: string, signal: AbortSignal): Promise<readonly string[]> {
  if (text === '') return [];
  const response = await fetch(`/search?text=${encodeURIComponent(text)}`, { signal });
  if (!response.ok) throw new Error(`The search failed with ${response.status}`);
  return response.json();
}
