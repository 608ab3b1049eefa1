// Runs first in every script, on whatever Node is there. The Node that package-lock.json pins is an optional
// dependency, so a download that failed is silent; this says it in a sentence instead of a syntax error.
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 19)) {
  process.stderr.write(
    `Node ${process.versions.node} is too old to run TypeScript: 22.19 or newer is needed. ` +
      '`npm ci` brings one for Linux on x64 and arm64 (optional dependencies must not be omitted); elsewhere install it yourself.\n',
  );
  process.exit(1);
}
