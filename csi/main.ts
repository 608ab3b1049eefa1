#!/usr/bin/env node
import { systemClock } from '../daemon/clock.ts';
import { runDaemon } from '../daemon/shutdown.ts';
import { Driver } from './driver.ts';
import { parseEndpoint } from './endpoint.ts';
import { identity } from './identity.ts';
import { DRIVER_NAME, DRIVER_VERSION } from './names.ts';
import { PROGRAM, help, parseOptions, version } from './options.ts';
import { RpcServer } from './server.ts';

await runDaemon(PROGRAM, (signal) => main(process.argv.slice(2), process.env, signal));

async function main(argv: readonly string[], env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<void> {
  const options = parseOptions(argv);
  if (options.help || options.version) {
    process.stdout.write(options.help ? help() : `${version()}\n`);
    return;
  }
  const endpoint = parseEndpoint(options.endpoint);
  const driver = new Driver(options, env, signal);
  if (options.mode === 'pre-stop') return driver.waitForDetach();
  const { logger } = driver;
  const services = {
    Identity: identity,
    Controller: options.mode === 'node' ? undefined : await driver.controller(),
    Node: options.mode === 'controller' ? undefined : await driver.node(),
  };
  const health = await driver.serveHealth();
  const server = await RpcServer.start({ endpoint, services, logger, clock: systemClock });
  logger.info('Listening', {
    driver: DRIVER_NAME,
    version: DRIVER_VERSION,
    mode: options.mode,
    address: server.address,
  });
  if (services.Node !== undefined) void driver.clearStartupTaint();
  try {
    await server.untilSocketLost(signal);
  } finally {
    await server.stop();
    await health?.close();
    logger.info('Stopped');
  }
}
