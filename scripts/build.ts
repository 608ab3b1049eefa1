/** Bundles the programs into `dist/`, or into the folder that is named. */
import { rm } from 'node:fs/promises';
import { build } from 'esbuild';
import { BUNDLE } from './bundle.ts';

const PROGRAMS = {
  'nifcloud-additional-storage-csi-driver': 'csi/main.ts',
  'nifcloud-cloud-controller-manager': 'ccm/main.ts',
  'nifcloud-simulator': 'simulator/main.ts',
};

const outdir = process.argv[2] ?? 'dist';
await rm(outdir, { recursive: true, force: true });
await build({
  entryPoints: PROGRAMS,
  outdir,
  ...BUNDLE,
  logLevel: 'info',
});
