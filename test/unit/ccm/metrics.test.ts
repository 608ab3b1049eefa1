import { expect } from 'chai';
import { Registry } from 'prom-client';
import { buildInfo, controllerMetrics } from '../../../ccm/metrics.ts';

describe('the metrics of the controllers', () => {
  const registry = new Registry();
  const metrics = controllerMetrics(registry);

  it('have the names and buckets of the framework, and a name of ours', async () => {
    metrics.node.taintRemoved(3);
    metrics.node.initialSyncDone(1025);
    metrics.service.hostsUpdated(5, 'ok');
    metrics.service.hostsUpdated(5, 'error');
    metrics.service.orphans(3);
    metrics.route.routesSynced();
    metrics.running('cloud-node', true);
    metrics.running('service', false);
    const text = await registry.metrics();
    for (const line of [
      'node_controller_cloud_provider_taint_removal_delay_seconds_bucket{le="1"} 0',
      'node_controller_cloud_provider_taint_removal_delay_seconds_bucket{le="4"} 1',
      'node_controller_initial_node_sync_delay_seconds_bucket{le="1024"} 0',
      'node_controller_initial_node_sync_delay_seconds_count 1',
      'service_controller_loadbalancer_sync_total 2',
      'service_controller_nodesync_error_total 1',
      'service_controller_nodesync_latency_seconds_bucket{le="8"} 2',
      'service_controller_update_loadbalancer_host_latency_seconds_bucket{le="16384"} 2',
      'cloudprovider_nifcloud_orphan_load_balancers 3',
      'route_controller_route_sync_total 1',
      'running_managed_controllers{name="cloud-node",manager="cloud-controller-manager"} 1',
      'running_managed_controllers{name="service",manager="cloud-controller-manager"} 0',
    ]) {
      expect(text).to.contain(`${line}\n`);
    }
  });

  it('say which version runs', async () => {
    buildInfo(registry, '1.2.3');
    expect(await registry.getSingleMetricAsString('kubernetes_build_info')).to.match(
      /^kubernetes_build_info\{major="1",minor="2",git_version="v1\.2\.3".*\} 1$/m,
    );
  });
});
