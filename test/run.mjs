// The entry of every root script: `node test/run.mjs <command> [arguments]`.
// Any Node may read this file, so it uses only syntax that Node 12 knows, and imports the other files only on a supported
// version: an old Node prints a helpful message instead of a SyntaxError.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);

if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`Quiesce needs Node 20.19 or later, and this is Node ${process.versions.node}: see https://nodejs.org`);
  process.exitCode = 1;
} else {
  void import('./run/commands.mjs').then(({ run }) => run(process.argv[2], process.argv.slice(3)));
}
