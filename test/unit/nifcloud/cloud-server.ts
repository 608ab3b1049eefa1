import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** A request as it reached the server. */
export interface Received {
  readonly body: string;
  readonly form: URLSearchParams;
  readonly action: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** An HTTP server on loopback that a test scripts: `answer` is called for each request, in the order of arrival. */
export interface CloudServer {
  readonly endpoint: string;
  readonly received: readonly Received[];
  stop(): Promise<void>;
}

export async function startCloudServer(answer: (received: Received, index: number) => void): Promise<CloudServer> {
  const received: Received[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      const form = new URLSearchParams(body);
      const one = { body, form, action: form.get('Action') ?? '', request, response };
      answer(one, received.push(one) - 1);
    });
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** An error as the cloud words it: by default with status 500, whatever it is (docs/reference/nifcloud-api.md §1.6). */
export function refuse({ response }: Received, code: string, status = 500): void {
  response.statusCode = status;
  response.end(
    `<Response><Errors><Error><Code>${code}</Code><Message>It&apos;s refused</Message></Error></Errors>` +
      '<RequestID>req-1</RequestID></Response>',
  );
}

/** A success without content. */
export function accept({ action, response }: Received, content = ''): void {
  response.end(`<${action}Response xmlns="https://computing.api.nifcloud.com/api/">${content}</${action}Response>`);
}
