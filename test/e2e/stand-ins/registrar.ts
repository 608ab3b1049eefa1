/**
 * In place of node-driver-registrar: serves the kubelet's registration for the driver, and ends when the kubelet did not take it. Flags are
 * those that the manifests use.
 */
import { existsSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { loadPackageDefinition, Server, ServerCredentials } from '@grpc/grpc-js';
import type { GrpcObject, sendUnaryData, ServerUnaryCall, ServiceClientConstructor } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { CsiClient } from '../../../demo/csi-client.ts';

const DRIVER = 'additional-storage.csi.nifcloud.com';
const SOCKET = `/registration/${DRIVER}-reg.sock`;

const { values } = parseArgs({
  options: {
    'csi-address': { type: 'string' },
    'kubelet-registration-path': { type: 'string' },
    'http-endpoint': { type: 'string' },
    mode: { type: 'string' },
    v: { type: 'string' },
  },
});

if (values.mode === 'kubelet-registration-probe') {
  statSync(SOCKET);
  process.exit(0);
}

const definition = loadSync(join(import.meta.dirname, 'registration.proto'), { keepCase: true });
const { Registration } = loadPackageDefinition(definition)['pluginregistration'] as GrpcObject;
const server = new Server();
server.addService((Registration as ServiceClientConstructor).service, {
  GetInfo: (_: unknown, answer: sendUnaryData<object>) =>
    answer(null, {
      type: 'CSIPlugin',
      name: DRIVER,
      endpoint: values['kubelet-registration-path'],
      supported_versions: ['1.0.0'],
    }),
  NotifyRegistrationStatus: (
    { request }: ServerUnaryCall<{ plugin_registered?: boolean; error?: string }, object>,
    answer: sendUnaryData<object>,
  ) => {
    answer(null, {});
    process.stderr.write(`registered: ${request.plugin_registered === true} ${request.error ?? ''}\n`);
    if (request.plugin_registered !== true) setTimeout(() => process.exit(1), 100);
  },
});
process.on('SIGTERM', () => {
  rmSync(SOCKET, { force: true });
  process.exit(0);
});

// The driver may start later than its registrar.
const client = new CsiClient(values['csi-address'] ?? '/csi/csi.sock');
while (!(await client.ready())) await pause(200);
client.close();
rmSync(SOCKET, { force: true });
server.bindAsync(`unix://${SOCKET}`, ServerCredentials.createInsecure(), (error) => {
  if (error !== null) throw error;
});

// As `:9809`; the Go program's manifest has none.
const [, port] = values['http-endpoint']?.split(':') ?? [];
if (port !== undefined) {
  createServer((_request, response) => response.writeHead(existsSync(SOCKET) ? 200 : 404).end()).listen(Number(port));
}
