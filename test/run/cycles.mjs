// Lists the import cycles of types in the packages. The linter reports cycles that exist at run time.
import madge from 'madge';

const found = await madge('packages', { fileExtensions: ['ts'], excludeRegExp: [/\/(test|dist|node_modules)\//] });
for (const circle of found.circular()) console.log(`  ${circle.join(' → ')}`);
