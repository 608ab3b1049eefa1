import { expect } from 'chai';
import { configz } from '../../../ccm/configz.ts';
import { FLAGS } from '../../../ccm/flags.ts';
import { parseFlags } from '../../../daemon/flags.ts';

/** The framework's own document with the defaults of its flags, except for the values that differ here on purpose. */
const DEFAULTS = {
  kind: 'CloudControllerManagerConfiguration',
  apiVersion: 'cloudcontrollermanager.config.k8s.io/v1alpha1',
  Generic: {
    Port: 10258,
    Address: '0.0.0.0',
    MinResyncPeriod: '12h0m0s',
    ClientConnection: {
      kubeconfig: '',
      acceptContentTypes: '',
      contentType: 'application/json',
      qps: 20,
      burst: 30,
    },
    ControllerStartInterval: '0s',
    LeaderElection: {
      leaderElect: true,
      leaseDuration: '15s',
      renewDeadline: '10s',
      retryPeriod: '2s',
      resourceLock: 'leases',
      resourceName: 'cloud-controller-manager',
      resourceNamespace: 'kube-system',
    },
    Controllers: ['*'],
    Debugging: { enableProfiling: false, enableContentionProfiling: false },
    LeaderMigrationEnabled: false,
    LeaderMigration: { leaderName: '', resourceLock: '', controllerLeaders: null },
  },
  KubeCloudShared: {
    CloudProvider: { Name: 'nifcloud', CloudConfigFile: '' },
    ExternalCloudVolumePlugin: '',
    UseServiceAccountCredentials: false,
    AllowUntaggedCloud: false,
    RouteReconciliationPeriod: '10s',
    NodeMonitorPeriod: '5s',
    ClusterName: 'kubernetes',
    ClusterCIDR: '',
    AllocateNodeCIDRs: false,
    CIDRAllocatorType: 'RangeAllocator',
    ConfigureCloudRoutes: true,
    NodeSyncPeriod: '0s',
  },
  NodeController: { ConcurrentNodeSyncs: 10, ConcurrentNodeStatusUpdates: 0 },
  ServiceController: { ConcurrentServiceSyncs: 10 },
  NodeStatusUpdateFrequency: '5m0s',
  Webhook: { Webhooks: [] },
};

describe('/configz', () => {
  it('shows the defaults of all flags as the framework shows them', () => {
    const shown = configz(parseFlags(FLAGS, ['--cloud-provider=nifcloud']));
    expect(shown).to.deep.equal({ 'cloudcontrollermanager.config.k8s.io': DEFAULTS });
  });

  it('shows what was set, with durations as Go writes them', () => {
    const args = ['--leader-elect-lease-duration=1m30s', '--route-reconciliation-period=1500ms', '--cluster-name=c1'];
    const shown = JSON.stringify(configz(parseFlags(FLAGS, args)));
    expect(shown).to.contain('"leaseDuration":"1m30s"').and.to.contain('"ClusterName":"c1"');
    expect(shown).to.contain('"RouteReconciliationPeriod":"1.5s"');
  });
});
