import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { startApiServer } from '../../simulator/kubernetes/server.ts';

const ROOT = new URL('../../', import.meta.url);

describe('the README of the Kubernetes library', () => {
  it('has an example that works, and gives its lease up on SIGTERM', async () => {
    const readme = await readFile(new URL('kube/README.md', ROOT), 'utf8');
    const example = /```ts\n(.*?)```/s.exec(readme)![1]!;
    const runnable = example.replaceAll(/from '\.\/(.*?)'/g, (_, path: string) => `from '${new URL(path, ROOT).href}'`);
    const folder = await mkdtemp(join(tmpdir(), 'nk-readme-'));
    const api = await startApiServer();
    try {
      await fetch(`${api.url}/api/v1/namespaces/default/configmaps`, {
        method: 'POST',
        body: JSON.stringify({ metadata: { name: 'greeting' } }),
        headers: { 'content-type': 'application/json' },
      });
      const clusters = [{ name: 'c', cluster: { server: api.url } }];
      const contexts = [{ name: 'c', context: { cluster: 'c' } }];
      await writeFile(join(folder, 'config'), JSON.stringify({ clusters, contexts, 'current-context': 'c' }));
      await writeFile(join(folder, 'example.mts'), runnable);
      const child = spawn(process.execPath, [join(folder, 'example.mts')], {
        env: { KUBECONFIG: join(folder, 'config') },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let errors = '';
      child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
      const [line] = (await Promise.race([once(child.stdout, 'data'), once(child, 'close')])) as [unknown];
      expect(String(line), errors).to.equal('greeted default/greeting\n');
      child.kill('SIGTERM');
      expect(await once(child, 'close'), errors).to.deep.equal([0, null]);
      const [lease] = [...api.store.values('leases.coordination.k8s.io')];
      expect(lease?.['spec']).to.include({ holderIdentity: '', leaseTransitions: 0 });
      const reasons = [...api.store.values('events')].map((event) => event['reason']);
      expect(reasons).to.have.members(['Greeted', 'LeaderElection']);
      expect(errors).to.equal('');
    } finally {
      await api.stop();
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('names every file', async () => {
    const readme = await readFile(new URL('kube/README.md', ROOT), 'utf8');
    const files = (await readdir(new URL('kube/', ROOT))).filter((name) => name.endsWith('.ts'));
    expect(files.filter((name) => !readme.includes(`\`${name}\``))).to.deep.equal([]);
  });
});
