// Lists the import circles of types in the packages. The linter refuses circles that exist at run time.
import madge from 'madge';

const found = await madge('packages', { fileExtensions: ['ts'], excludeRegExp: [/\/(test|dist|node_modules)\//] });
for (const circle of found.circular()) console.log(`  ${circle.join(' → ')}`);
