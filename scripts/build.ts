/**
 * Bundles the programs into `dist/`. Splitting keeps what is imported lazily (client-node, the cloud client) in chunks
 * of its own, so that the node server never loads it.
 */
import { rm } from 'node:fs/promises';
import { build } from 'esbuild';

const PROGRAMS = {
  'nifcloud-additional-storage-csi-driver': 'csi/main.ts',
  'nifcloud-cloud-controller-manager': 'ccm/main.ts',
  'nifcloud-simulator': 'simulator/main.ts',
};

await rm('dist', { recursive: true, force: true });
await build({
  entryPoints: PROGRAMS,
  outdir: 'dist',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  minifySyntax: true,
  legalComments: 'none',
  logLevel: 'info',
  // CommonJS packages inside an ES module bundle still call require().
  banner: {
    js: "import { createRequire as bundleRequire } from 'node:module'; const require = bundleRequire(import.meta.url);",
  },
});
