import { createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import { chmod, copyFile, cp, mkdir, readFile, readlink, realpath, stat, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { BUNDLE } from '../../scripts/bundle.ts';
import type { Programs } from './components.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A layer and the images that consist of it. */
interface Layer {
  /** Fills the folder that is its root. */
  readonly fill: (root: string) => Promise<void>;
  readonly images: readonly Image[];
}

interface Image {
  readonly reference: string;
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly user?: string;
}

/**
 * Makes the images of a cluster that has no registry, from what is on this machine, as archives that `ctr images import` reads: ours with
 * the content that the Dockerfile gives them (the tools of its Debian packages are this machine's), the sidecars of the manifests, and
 * those of the examples.
 */
export async function makeImages(folder: string, sources: ImageSources): Promise<readonly string[]> {
  const archives: string[] = [];
  for (const [at, layer] of layers(sources).entries()) {
    const archive = join(folder, `images-${at}.tar`);
    await writeArchive(archive, layer);
    archives.push(archive);
  }
  return archives;
}

export interface ImageSources {
  readonly programs: Programs;
  /** Holds `dist/` with our programs, and what they need beside it. */
  readonly app: string;
  /** What the manifests call their images. */
  readonly references: readonly string[];
}

function layers({ programs, app, references }: ImageSources): readonly Layer[] {
  const find = (part: string): string => references.find((one) => one.includes(part)) ?? `e2e.local/${part}:none`;
  const own = ['nifcloud-cloud-controller-manager', 'nifcloud-additional-storage-csi-driver', 'nifcloud-simulator'];
  return [
    {
      fill: (root) => fillOwn(root, app),
      images: [
        ...own.map((name) => ({ reference: find(name), entrypoint: [`/bin/${name}`], user: '65532:65532' })),
        // What the module proxy of Go does not have.
        { reference: find('csi-node-driver-registrar'), entrypoint: ['/csi-node-driver-registrar'] },
        { reference: find('livenessprobe'), entrypoint: ['/livenessprobe'] },
      ],
    },
    {
      fill: fillBusybox,
      images: [
        { reference: 'docker.io/library/busybox:1.37.0', command: ['/bin/sh'] },
        { reference: 'docker.io/library/nginx:1.29.3', command: ['/bin/serve-hostname'] },
        { reference: 'e2e.local/pause:1', command: ['/bin/sleep', '2147483647'] },
      ],
    },
    ...(['csi-provisioner', 'csi-attacher', 'csi-resizer'] as const).map((name) => ({
      fill: (root: string) => copyFile(programs[name], join(root, name)),
      images: [{ reference: find(name), entrypoint: [`/${name}`] }],
    })),
  ];
}

/** As the Dockerfile's stage `programs`. */
async function fillOwn(root: string, app: string): Promise<void> {
  const dockerfile = await readFile(join(ROOT, 'Dockerfile'), 'utf8');
  const packages = /apt-get install -y --no-install-recommends (.*) \\/.exec(dockerfile)?.[1]?.split(' ') ?? [];
  // The first three are in its base image.
  await copyTools(['dash', 'coreutils', 'libc-bin', ...packages], root);
  await cp(app, join(root, 'app'), { recursive: true });
  await mkdir(join(root, 'etc/selinux'));
  await writeFile(join(root, 'etc/selinux/config'), '');
  await copyFile(process.execPath, join(root, 'usr/bin/node'));
  await copyLibraries([process.execPath], root);
  for (const name of [
    'nifcloud-cloud-controller-manager',
    'nifcloud-additional-storage-csi-driver',
    'nifcloud-simulator',
  ]) {
    await copyFile(join(ROOT, 'image/bin', name), join(root, 'usr/bin', name));
  }
  await standIns(root);
}

/** Programs that speak for the sidecars which can't be built. */
async function standIns(root: string): Promise<void> {
  const entryPoints = {
    registrar: 'test/e2e/stand-ins/registrar.ts',
    livenessprobe: 'test/e2e/stand-ins/livenessprobe.ts',
  };
  await build({ ...BUNDLE, entryPoints, absWorkingDir: ROOT, outdir: join(root, 'stand-ins'), logLevel: 'error' });
  await cp(join(ROOT, 'proto'), join(root, 'proto'), { recursive: true });
  await cp(join(ROOT, 'test/e2e/stand-ins/registration.proto'), join(root, 'stand-ins/registration.proto'));
  for (const [file, script] of [
    ['csi-node-driver-registrar', 'registrar'],
    ['livenessprobe', 'livenessprobe'],
  ] as const) {
    await writeFile(join(root, file), `#!/bin/sh\nexec node --max-semi-space-size=1 /stand-ins/${script}.js "$@"\n`);
    await chmod(join(root, file), 0o755);
  }
}

async function fillBusybox(root: string): Promise<void> {
  await mkdir(join(root, 'bin'), { recursive: true });
  const busybox = await realpath((await run('which', ['busybox'])).stdout.trim());
  await copyFile(busybox, join(root, 'bin/busybox'));
  const { stdout } = await run(busybox, ['--list']);
  for (const name of stdout.trim().split('\n'))
    if (name !== 'busybox') await symlink('busybox', join(root, 'bin', name));
  const serve = '#!/bin/sh\nmkdir -p /www && hostname > /www/index.html && exec httpd -f -p 80 -h /www\n';
  await writeFile(join(root, 'bin/serve-hostname'), serve);
  await chmod(join(root, 'bin/serve-hostname'), 0o755);
}

/** Copies the programs of Debian packages, with the libraries that they need. */
async function copyTools(packages: readonly string[], root: string): Promise<void> {
  const { stdout } = await run('dpkg', ['-L', ...packages]);
  const files = stdout.split('\n').filter((file) => /^(\/usr)?\/s?bin\/[^/]+$/.test(file));
  for (const folder of ['usr/bin', 'usr/sbin', 'usr/lib', 'usr/lib64', 'etc', 'tmp', 'proc', 'sys', 'dev']) {
    await mkdir(join(root, folder), { recursive: true });
  }
  for (const folder of ['bin', 'sbin', 'lib', 'lib64']) await symlink(`usr/${folder}`, join(root, folder));
  for (const file of files) await copy(file, root);
  await copyLibraries(files, root);
  await writeFile(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
}

async function copyLibraries(programs: readonly string[], root: string): Promise<void> {
  const { stdout } = await run('ldd', [...programs], { maxBuffer: 2 ** 24 }).catch(
    (error: { stdout: string }) => error,
  );
  const libraries = new Set(stdout.match(/(?<=^\s+(?:\S+ => )?)\/\S+(?= \(0x)/gm));
  for (const library of libraries) {
    const place = join(root, 'usr', library.replace(/^\/usr/, ''));
    await mkdir(dirname(place), { recursive: true });
    await copyFile(library, place);
    await chmod(place, 0o755);
  }
}

/** A file as it is, links as links. */
async function copy(file: string, root: string): Promise<void> {
  const place = join(root, 'usr', file.replace(/^\/usr/, ''));
  const link = await readlink(file).catch(() => undefined);
  if (link !== undefined) await symlink(link, place).catch(() => undefined);
  else if ((await stat(file).catch(() => undefined))?.isFile() === true) await copyFile(file, place);
}

/** In the format of `docker save`: https://github.com/moby/docker-image-spec */
async function writeArchive(archive: string, { fill, images }: Layer): Promise<void> {
  const folder = `${archive}.d`;
  const [root, parts] = [join(folder, 'root'), join(folder, 'parts')];
  for (const made of [root, parts]) await mkdir(made, { recursive: true });
  await fill(root);
  const layer = join(parts, 'layer.tar');
  await run('tar', ['-C', root, '--numeric-owner', '--owner=0', '--group=0', '--mode=a+rX', '-cf', layer, '.']);
  const { stdout } = await run('sha256sum', [layer]);
  const digest = stdout.split(' ')[0] ?? '';
  const manifest: object[] = [];
  for (const { reference, entrypoint, command, user } of images) {
    const config = JSON.stringify({
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      os: 'linux',
      config: {
        Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'NODE_ENV=production'],
        WorkingDir: '/',
        Entrypoint: entrypoint,
        Cmd: command,
        User: user,
      },
      rootfs: { type: 'layers', diff_ids: [`sha256:${digest}`] },
    });
    const file = `${createHash('sha256').update(config).digest('hex')}.json`;
    await writeFile(join(parts, file), config);
    manifest.push({ Config: file, RepoTags: [reference], Layers: [basename(layer)] });
  }
  await writeFile(join(parts, 'manifest.json'), JSON.stringify(manifest));
  await run('tar', ['-C', parts, '-cf', archive, '.']);
  await run('rm', ['-rf', folder]);
}
