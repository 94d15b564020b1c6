// The one door of every root script: `node test/run.mjs <command> [arguments]`.
// This file is read by whatever Node there is, so it keeps to syntax that Node 12 knows and imports the rest only when the
// version is one that we run on: an old Node gets our sentence, not a SyntaxError.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);

if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`Quiesce needs Node 20.19 or later, and this is Node ${process.versions.node}: see https://nodejs.org`);
  process.exitCode = 1;
} else {
  void import('./run/commands.mjs').then(({ run }) => run(process.argv[2], process.argv.slice(3)));
}
