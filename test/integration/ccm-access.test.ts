import { readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { writeKubeconfig } from '../../demo/stage.ts';
import type { Attempt, Identities, User } from '../../simulator/kubernetes/reviews.ts';
import { Authority } from '../certificates.ts';
import { eventually } from '../eventually.ts';
import { Replica, type Page } from './replica.ts';
import { World } from './world.ts';

const PROMETHEUS: User = { username: 'system:serviceaccount:monitoring:prometheus', groups: ['monitoring'] };
/** What the program's own account lacks in these tests. */
const MISSING: Readonly<Record<string, string>> = { verb: 'patch', resource: 'services', subresource: 'status' };

const IDENTITIES: Identities = {
  tokens: {
    'prometheus-token': PROMETHEUS,
    'visitor-token': { username: 'visitor' },
    'demo-test': { username: 'system:serviceaccount:kube-system:nifcloud-cloud-controller-manager' },
  },
  allows: (user: User, attempt: Attempt) => {
    if ('path' in attempt) return user.username === PROMETHEUS.username && attempt.path.startsWith('/metrics');
    return !(['verb', 'resource', 'subresource'] as const).every((key) => attempt[key] === MISSING[key]);
  },
};

const UNINITIALIZED = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'node01' },
  spec: { taints: [{ key: 'node.cloudprovider.kubernetes.io/uninitialized', effect: 'NoSchedule' }] },
};

const CONFIG_MAP = '/api/v1/namespaces/kube-system/configmaps';

/** Every family of `docs/reference/ccm.md` A10 that this program has. */
const FAMILIES = [
  'node_controller_cloud_provider_taint_removal_delay_seconds',
  'node_controller_initial_node_sync_delay_seconds',
  'service_controller_loadbalancer_sync_total',
  'service_controller_nodesync_error_total',
  'service_controller_nodesync_latency_seconds',
  'service_controller_update_loadbalancer_host_latency_seconds',
  'route_controller_route_sync_total',
  'running_managed_controllers',
  'workqueue_depth',
  'workqueue_adds_total',
  'workqueue_queue_duration_seconds',
  'workqueue_work_duration_seconds',
  'workqueue_unfinished_work_seconds',
  'workqueue_longest_running_processor_seconds',
  'workqueue_retries_total',
  'leader_election_master_status',
  'leader_election_slowpath_total',
  'rest_client_requests_total',
  'rest_client_request_duration_seconds',
  'rest_client_rate_limiter_duration_seconds',
  'rest_client_request_size_bytes',
  'rest_client_response_size_bytes',
  'rest_client_request_retries_total',
  'kubernetes_build_info',
  'process_cpu_seconds_total',
  'process_resident_memory_bytes',
  'cloudprovider_nifcloud_api_request_duration_seconds',
  'cloudprovider_nifcloud_api_request_errors',
];

const as = (token: string): { headers: Record<string, string> } => ({
  headers: { authorization: `Bearer ${token}` },
});

describe('who may read the pages of the cloud-controller-manager', () => {
  let world: World;
  let replica: Replica | undefined;
  beforeEach(async () => (world = await World.start({ identities: IDENTITIES })));
  afterEach(async () => {
    await replica?.end('SIGKILL');
    await world.stop();
  });

  const start = async (more: readonly string[] = []): Promise<Replica> => {
    const kubeconfig = await world.kubeconfig();
    const file = kubeconfig.replace('--kubeconfig=', '');
    const delegated = [`--authentication-kubeconfig=${file}`, `--authorization-kubeconfig=${file}`];
    replica = await Replica.start([kubeconfig, ...delegated, ...more], world.environment());
    return replica;
  };

  it('is asked of the cluster: 401 for a bad token, 403 for who may not, 200 for who may', async () => {
    const ccm = await start();
    await ccm.untilLeading();
    await ccm.until('/readyz', 200);
    const status = async (path: string, token?: string): Promise<number> =>
      (await ccm.page(path, token === undefined ? {} : as(token))).status;
    expect(await status('/healthz')).to.equal(200);
    expect(await status('/healthz', 'stolen-token')).to.equal(401);
    expect(await status('/metrics')).to.equal(403);
    expect(await status('/metrics', 'visitor-token')).to.equal(403);
    expect(await status('/metrics', 'stolen-token')).to.equal(401);
    expect(await status('/metrics', 'prometheus-token')).to.equal(200);
    expect(await status('/metrics/slis', 'prometheus-token')).to.equal(200);
    expect(await status('/configz', 'prometheus-token')).to.equal(403);
    expect(await status('/healthz/leaderElection')).to.equal(404);
  });

  it('sees every family of metrics that dashboards know', async () => {
    const ccm = await start();
    const body = await ccm.until('/metrics', 200, as('prometheus-token'));
    const missing = FAMILIES.filter((family) => !body.includes(`# TYPE ${family} `));
    expect(missing).to.deep.equal([]);
    const settled = await eventually(async () => {
      const { body: now } = await ccm.page('/metrics', as('prometheus-token'));
      return /running_managed_controllers\{[^}]*\} 1/.test(now) ? now : undefined;
    });
    expect(settled).to.contain('running_managed_controllers{name="cloud-node",manager="cloud-controller-manager"} 1');
    expect(settled).to.contain('leader_election_master_status{name="cloud-controller-manager"} 1');
    await world.kube('POST', '/api/v1/nodes', UNINITIALIZED);
    await eventually(async () => (await world.events('Node', 'node01')).some((event) => event.includes('Synced')));
    const { body: worked } = await ccm.page('/metrics', as('prometheus-token'));
    expect(worked).to.contain('node_controller_initial_node_sync_delay_seconds_count 1\n');
    expect(worked).to.contain('node_controller_cloud_provider_taint_removal_delay_seconds_count 1\n');
    expect(worked).to.match(/workqueue_adds_total\{name="Nodes"\} [1-9]/);
    expect(worked).to.match(/workqueue_adds_total\{name="service"\} \d/);
    expect(worked).to.match(/rest_client_requests_total\{code="200",method="GET",host="127/);
    expect(settled).to.match(/kubernetes_build_info\{[^}]*git_version="v\d+\.\d+\.\d+"/);
  });

  it('is told by client certificates of the authority that the cluster publishes', async () => {
    const authority = await Authority.create('kubernetes');
    const proxies = await Authority.create('front-proxy-ca');
    await world.kube('POST', CONFIG_MAP, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'extension-apiserver-authentication' },
      data: {
        'client-ca-file': authority.pem,
        'requestheader-client-ca-file': proxies.pem,
        'requestheader-allowed-names': '["front-proxy-client"]',
        'requestheader-username-headers': '["X-Remote-User"]',
        'requestheader-group-headers': '["X-Remote-Group"]',
        'requestheader-extra-headers-prefix': '["X-Remote-Extra-"]',
      },
    });
    const ccm = await start(['--cluster-name=c1']);
    await ccm.untilLeading();
    const admin = await authority.sign({ name: 'CN=kubernetes-admin, O=system:masters' });
    const { status, body }: Page = await ccm.page('/configz', admin);
    expect(status).to.equal(200);
    const config = (JSON.parse(body) as Record<string, Record<string, unknown>>)[
      'cloudcontrollermanager.config.k8s.io'
    ];
    expect(config).to.include({
      kind: 'CloudControllerManagerConfiguration',
      apiVersion: 'cloudcontrollermanager.config.k8s.io/v1alpha1',
      NodeStatusUpdateFrequency: '5m0s',
    });
    expect(config?.['KubeCloudShared']).to.deep.include({ ClusterName: 'c1', NodeMonitorPeriod: '5s' });
    const proxy = await proxies.sign({ name: 'CN=front-proxy-client' });
    const headers = { 'x-remote-user': PROMETHEUS.username };
    expect((await ccm.page('/metrics', { ...proxy, headers })).status).to.equal(200);
    const stranger = await (await Authority.create('kubernetes')).sign({ name: 'CN=admin, O=system:masters' });
    expect((await ccm.page('/healthz', stranger)).status).to.equal(401);
  });

  it('is nobody but for open paths where the program cannot ask', async () => {
    replica = await Replica.start([await world.kubeconfig()], world.environment());
    await replica.untilLeading();
    expect((await replica.page('/metrics', as('prometheus-token'))).status).to.equal(403);
    expect(replica.log).to.match(/This is no pod and --authentication-kubeconfig is not given/);
  });

  it('is not guessed: the program does not start where the cluster may not be asked, unless that is tolerated', async () => {
    const refusal = { kind: 'Status', status: 'Failure', reason: 'Forbidden', message: 'configmaps is forbidden' };
    const strict = createServer((_request, response) => {
      response.writeHead(403, { 'content-type': 'application/json' }).end(JSON.stringify(refusal));
    });
    await new Promise<void>((resolve) => strict.listen(0, '127.0.0.1', resolve));
    try {
      const file = join(world.stage.folder, 'strict');
      await writeKubeconfig(file, `http://127.0.0.1:${(strict.address() as AddressInfo).port}`, 'test');
      const args = [await world.kubeconfig(), `--authentication-kubeconfig=${file}`];
      replica = await Replica.start(args, world.environment());
      expect(await replica.ended()).to.equal(1);
      expect(replica.log).to.match(
        /extension-apiserver-authentication cannot be read: configmaps is forbidden; bind the role .*-reader, or set --auth/,
      );
      for (const flag of ['--authentication-tolerate-lookup-failure', '--authentication-skip-lookup']) {
        replica = await Replica.start([...args, flag], world.environment());
        await replica.untilLeading(); // the question comes before the election
        expect(replica.log.includes('Client certificates count for nothing'), flag).to.equal(flag.includes('tolerate'));
        await replica.end('SIGTERM');
      }
    } finally {
      strict.close();
    }
  });

  it('does not depend on the certificate, which is kept in a folder from one start to the next', async () => {
    const folder = join(world.stage.folder, 'certificates');
    const first = await start([`--cert-dir=${folder}`]);
    await first.until('/healthz', 200);
    await first.end('SIGTERM');
    const [cert, key] = ['crt', 'key'].map((end) => join(folder, `cloud-controller-manager.${end}`));
    const ca = await readFile(cert ?? '', 'utf8');
    expect((await stat(key ?? '')).mode & 0o777).to.equal(0o600);
    const second = await start([`--cert-dir=${folder}`]);
    await second.until('/healthz', 200, { ca, rejectUnauthorized: true, servername: 'localhost' });
  });

  it('may be changed by the operator', async () => {
    const ccm = await start(['--authorization-always-allow-paths=/healthz,/metrics*']);
    await ccm.until('/metrics/slis', 200);
    expect((await ccm.page('/configz')).status).to.equal(403);
  });

  it('comes with a warning for each permission that the program itself lacks', async () => {
    const ccm = await start(['--use-service-account-credentials=false', '--feature-gates=AllAlpha=true']);
    await eventually(() => ccm.log.includes('A permission is missing'));
    await ccm.until('/readyz', 200);
    const warnings = ccm.log.split('\n').filter((line) => line.includes('A permission is missing'));
    expect(warnings).to.have.length(1);
    expect(warnings[0]).to.match(
      /^W.*verb="patch" resource="services" subresource="status" purpose="the service controller"/,
    );
    expect(ccm.log.match(/Flags without effect.*/g)).to.deep.equal([
      'Flags without effect in this program" flags=["--feature-gates=AllAlpha=true"]',
    ]);
  });

  it('works with service accounts of the controllers’ own', async () => {
    const ccm = await start(['--use-service-account-credentials']);
    await world.kube('POST', '/api/v1/nodes', UNINITIALIZED);
    await eventually(async () => (await world.events('Node', 'node01')).some((event) => event.includes('Synced')));
    const { items } = await world.kube<{ items: readonly { metadata: { name: string } }[] }>(
      'GET',
      '/api/v1/namespaces/kube-system/serviceaccounts',
    );
    expect(items.map(({ metadata }) => metadata.name)).to.include.members(['node-controller', 'service-controller']);
    expect(ccm.log).not.to.match(/^E/m);
  });
});
