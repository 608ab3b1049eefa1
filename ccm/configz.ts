import { durationText } from '../daemon/flags.ts';
import type { CcmFlags } from './options.ts';

/**
 * What /configz shows: the flags in force, as the framework shows them (`docs/reference/ccm.md` A8). Names are those of
 * CloudControllerManagerConfiguration v1alpha1, whose Go fields have no JSON names except in the parts from component-base.
 */
export function configz(flags: CcmFlags): unknown {
  return {
    'cloudcontrollermanager.config.k8s.io': {
      kind: 'CloudControllerManagerConfiguration',
      apiVersion: 'cloudcontrollermanager.config.k8s.io/v1alpha1',
      Generic: generic(flags),
      KubeCloudShared: {
        CloudProvider: { Name: flags['cloud-provider'], CloudConfigFile: flags['cloud-config'] },
        ExternalCloudVolumePlugin: flags['external-cloud-volume-plugin'],
        UseServiceAccountCredentials: flags['use-service-account-credentials'],
        AllowUntaggedCloud: flags['allow-untagged-cloud'],
        RouteReconciliationPeriod: durationText(flags['route-reconciliation-period']),
        NodeMonitorPeriod: durationText(flags['node-monitor-period']),
        ClusterName: flags['cluster-name'],
        ClusterCIDR: flags['cluster-cidr'],
        AllocateNodeCIDRs: flags['allocate-node-cidrs'],
        CIDRAllocatorType: flags['cidr-allocator-type'],
        ConfigureCloudRoutes: flags['configure-cloud-routes'],
        NodeSyncPeriod: durationText(flags['node-sync-period']),
      },
      NodeController: {
        ConcurrentNodeSyncs: flags['concurrent-node-syncs'],
        ConcurrentNodeStatusUpdates: flags['concurrent-node-status-updates'],
      },
      ServiceController: { ConcurrentServiceSyncs: flags['concurrent-service-syncs'] },
      NodeStatusUpdateFrequency: durationText(flags['node-status-update-frequency']),
      Webhook: { Webhooks: [] },
    },
  };
}

function generic(flags: CcmFlags): unknown {
  return {
    Port: flags['secure-port'],
    Address: flags['bind-address'],
    MinResyncPeriod: durationText(flags['min-resync-period']),
    ClientConnection: {
      kubeconfig: flags.kubeconfig,
      acceptContentTypes: '',
      contentType: 'application/json',
      qps: flags['kube-api-qps'],
      burst: flags['kube-api-burst'],
    },
    ControllerStartInterval: durationText(flags['controller-start-interval']),
    LeaderElection: {
      leaderElect: flags['leader-elect'],
      leaseDuration: durationText(flags['leader-elect-lease-duration']),
      renewDeadline: durationText(flags['leader-elect-renew-deadline']),
      retryPeriod: durationText(flags['leader-elect-retry-period']),
      resourceLock: flags['leader-elect-resource-lock'],
      resourceName: flags['leader-elect-resource-name'],
      resourceNamespace: flags['leader-elect-resource-namespace'],
    },
    Controllers: flags.controllers,
    Debugging: { enableProfiling: false, enableContentionProfiling: false },
    LeaderMigrationEnabled: false,
    LeaderMigration: { leaderName: '', resourceLock: '', controllerLeaders: null },
  };
}
