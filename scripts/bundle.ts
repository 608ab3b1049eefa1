import type { BuildOptions } from 'esbuild';

/**
 * How programs are bundled. Splitting keeps what is imported lazily (client-node, the cloud client) in chunks of its own, so that the
 * node server never loads it.
 */
export const BUNDLE = {
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  minifySyntax: true,
  legalComments: 'none',
  // CommonJS packages inside an ES module bundle still call require().
  banner: {
    js: "import { createRequire as bundleRequire } from 'node:module'; const require = bundleRequire(import.meta.url);",
  },
} as const satisfies BuildOptions;
