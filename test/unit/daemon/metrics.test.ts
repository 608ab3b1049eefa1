import { expect } from 'chai';
import { Registry } from 'prom-client';
import { electionMetrics, kubeRequestMetrics, queueMetrics } from '../../../daemon/metrics.ts';

describe('metrics of the Kubernetes client', () => {
  let registry: Registry;
  beforeEach(() => (registry = new Registry()));

  const scraped = async (): Promise<readonly string[]> =>
    (await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));

  it('of requests have the names and labels of client-go', async () => {
    const metrics = kubeRequestMetrics(registry);
    metrics.throttled('GET', 'api:443', 0.002);
    metrics.answered('GET', 'api:443', '429');
    metrics.retried('GET', 'api:443', '429');
    metrics.answered('GET', 'api:443', '<error>');
    metrics.finished('GET', 'api:443', 1.5);
    metrics.sent('PATCH', 'api:443', 100);
    metrics.received('GET', 'api:443', 1_000);
    expect(await scraped()).to.include.members([
      'rest_client_requests_total{code="429",method="GET",host="api:443"} 1',
      'rest_client_requests_total{code="<error>",method="GET",host="api:443"} 1',
      'rest_client_request_retries_total{code="429",verb="GET",host="api:443"} 1',
      'rest_client_request_duration_seconds_bucket{le="1",verb="GET",host="api:443"} 0',
      'rest_client_request_duration_seconds_bucket{le="2",verb="GET",host="api:443"} 1',
      'rest_client_request_duration_seconds_bucket{le="60",verb="GET",host="api:443"} 1',
      'rest_client_rate_limiter_duration_seconds_bucket{le="0.005",verb="GET",host="api:443"} 1',
      'rest_client_request_size_bytes_bucket{le="256",verb="PATCH",host="api:443"} 1',
      'rest_client_response_size_bytes_sum{verb="GET",host="api:443"} 1000',
    ]);
  });

  it('of queues have the names and buckets of client-go, and gauges as they are at the scrape', async () => {
    const metrics = queueMetrics(registry);
    let state = { depth: 3, unfinishedSeconds: 4.5, longestSeconds: 4 };
    metrics.register('service', () => state);
    expect(await scraped()).to.include.members([
      'workqueue_depth{name="service"} 3',
      'workqueue_unfinished_work_seconds{name="service"} 4.5',
      'workqueue_longest_running_processor_seconds{name="service"} 4',
      'workqueue_adds_total{name="service"} 0',
      'workqueue_retries_total{name="service"} 0',
    ]);
    metrics.added('service');
    metrics.retried('service');
    metrics.taken('service', 0.000_000_05);
    metrics.done('service', 11);
    state = { depth: 0, unfinishedSeconds: 0, longestSeconds: 0 };
    const lines = await scraped();
    expect(lines).to.include.members([
      'workqueue_depth{name="service"} 0',
      'workqueue_adds_total{name="service"} 1',
      'workqueue_retries_total{name="service"} 1',
      'workqueue_queue_duration_seconds_bucket{le="1e-8",name="service"} 0',
      'workqueue_queue_duration_seconds_bucket{le="1e-7",name="service"} 1',
      'workqueue_work_duration_seconds_bucket{le="10",name="service"} 0',
      'workqueue_work_duration_seconds_sum{name="service"} 11',
    ]);
    expect(lines.filter((line) => line.startsWith('workqueue_work_duration_seconds_bucket'))).to.have.length(11);
  });

  it('of leader election have the names of client-go', async () => {
    const metrics = electionMetrics(registry);
    metrics.leading('cloud-controller-manager', false);
    expect(await scraped()).to.include('leader_election_master_status{name="cloud-controller-manager"} 0');
    metrics.leading('cloud-controller-manager', true);
    metrics.slowPath('cloud-controller-manager');
    expect(await scraped()).to.deep.equal([
      'leader_election_master_status{name="cloud-controller-manager"} 1',
      'leader_election_slowpath_total{name="cloud-controller-manager"} 1',
    ]);
  });
});
