import { createServer } from 'node:http';
import { parentPort, workerData } from 'node:worker_threads';

/**
 * A Kubernetes API in a thread of its own, of Nodes that change all the time: each watch brings so many events and ends, with its
 * connection. Posts its port.
 */
const { nodes, eventsOfWatch } = workerData as { readonly nodes: number; readonly eventsOfWatch: number };

/** About as large as what a kubelet reports. */
const images = Array.from({ length: 20 }, (_, at) => ({ names: [`registry/image-${at}@sha256:${'0'.repeat(64)}`] }));
let version = 1;

const event = (): string => {
  version += 1;
  const metadata = { name: `node-${version % nodes}`, uid: `uid-${version % nodes}`, resourceVersion: String(version) };
  const object = { apiVersion: 'v1', kind: 'Node', metadata, spec: {}, status: { images } };
  return `${JSON.stringify({ type: 'MODIFIED', object })}\n`;
};

const server = createServer((request, response) => {
  response.setHeader('connection', 'close');
  if (request.url?.includes('watch=true')) response.end(Array.from({ length: eventsOfWatch }, event).join(''));
  else response.end(JSON.stringify({ kind: 'NodeList', metadata: { resourceVersion: String(version) }, items: [] }));
});
server.listen(0, '127.0.0.1', () => parentPort?.postMessage(server.address(), []));
