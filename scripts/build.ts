/** Bundles the programs into `dist/`. */
import { rm } from 'node:fs/promises';
import { build } from 'esbuild';
import { BUNDLE } from './bundle.ts';

const PROGRAMS = {
  'nifcloud-additional-storage-csi-driver': 'csi/main.ts',
  'nifcloud-cloud-controller-manager': 'ccm/main.ts',
  'nifcloud-simulator': 'simulator/main.ts',
};

await rm('dist', { recursive: true, force: true });
await build({
  entryPoints: PROGRAMS,
  outdir: 'dist',
  ...BUNDLE,
  logLevel: 'info',
});
