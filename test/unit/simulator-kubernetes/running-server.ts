import { type ApiServer, type ApiServerOptions, startApiServer } from '../../../simulator/kubernetes/server.ts';
import { FakeClock } from '../../fake-clock.ts';
import { RawClient } from './raw-client.ts';

/** An API server for one test, its clock, and a client. */
export interface RunningServer {
  readonly server: ApiServer;
  readonly client: RawClient;
  readonly clock: FakeClock;
  stop(): Promise<void>;
}

export async function runServer(options: ApiServerOptions = {}): Promise<RunningServer> {
  const clock = new FakeClock();
  const server = await startApiServer({ clock, ...options });
  const client = new RawClient(server.url);
  return {
    server,
    client,
    clock,
    stop: async () => {
      client.close();
      await server.stop();
    },
  };
}
