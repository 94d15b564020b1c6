// Holds the documentation against what it says of itself, for `npm run check`; each gate has a test that it closes.
import { gates } from './gates/gates.ts';

for (const { title, problems } of gates) {
  const found = await problems();
  for (const { place, text } of found) console.log(`  ${place}: ${text}`);
  console.log(`  ${title}: ${found.length === 0 ? 'yes' : `NO, ${found.length} problems`}`);
  if (found.length > 0) process.exitCode = 1;
}
