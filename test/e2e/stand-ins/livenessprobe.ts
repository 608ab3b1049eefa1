/** In place of livenessprobe: `/healthz` on port 9808 says what the driver's Probe says. */
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import { CsiClient } from '../../../demo/csi-client.ts';

const { values } = parseArgs({ options: { 'csi-address': { type: 'string', default: '/csi/csi.sock' } } });

const client = new CsiClient(values['csi-address']);
createServer((_request, response) => {
  void client.ready().then((isReady) => response.writeHead(isReady ? 200 : 500).end(isReady ? 'ok' : 'not ready'));
}).listen(9808);
process.on('SIGTERM', () => process.exit(0));
