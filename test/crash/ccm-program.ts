import { Registry } from 'prom-client';
import { Clients } from '../../ccm/clients.ts';
import { runControllers } from '../../ccm/controllers.ts';
import { controllerMetrics } from '../../ccm/metrics.ts';
import { readOptions } from '../../ccm/options.ts';
import type { Logger } from '../../daemon/logger.ts';
import { kubeRequestMetrics, queueMetrics } from '../../daemon/metrics.ts';
import { EventRecorder } from '../../kube/events.ts';
import { Nifcloud } from '../../nifcloud/nifcloud.ts';
import { credentialSource } from '../../nifcloud/credentials.ts';
import type { Program } from './crash-world.ts';

/**
 * The controllers of the cloud-controller-manager as `ccm/main.ts` runs them, without what belongs to a process.
 * @param log told of everything; default: nobody
 */
export function ccmProgram(flags: readonly string[], log: (line: string) => void = () => {}): Program {
  return async ({ environment, kubernetesUrl, clock }, signal) => {
    const argv = ['--cloud-provider=nifcloud', '--leader-elect=false', `--master=${kubernetesUrl}`, ...flags];
    const options = readOptions(argv, environment, '0');
    if (typeof options === 'string') throw new Error(options);
    const logger = logTo(log);
    const registry = new Registry();
    const userAgent = 'crash-test';
    const cloud = new Nifcloud({
      region: options.region,
      endpoint: options.endpoint,
      credentials: credentialSource(options.keys, { clock, logger }),
      userAgent,
      logger,
      clock,
    });
    const clients = await Clients.connect({
      flags: options.flags,
      environment,
      userAgent,
      metrics: kubeRequestMetrics(registry),
      logger,
      clock,
      signal,
    });
    await runControllers(
      {
        options,
        cloud,
        clients,
        recorder: (component, client) => new EventRecorder({ client, component, logger, clock, signal }),
        metrics: controllerMetrics(registry),
        queueMetrics: queueMetrics(registry),
        healthChecks: [],
        readyChecks: [],
        logger,
        clock,
      },
      signal,
    );
  };
}

function logTo(log: (line: string) => void): Logger {
  const line = (message: string, fields?: object): void => log(`${message} ${JSON.stringify(fields ?? {})}`);
  return {
    info: line,
    warn: line,
    error: (message, error, fields) => line(`${message}: ${String(error)}`, fields),
    debug: (_level, message, fields) => line(message, fields),
  };
}
