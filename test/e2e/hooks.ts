import { Cluster } from './cluster.ts';

/** The cluster is started by the first test that needs it. */
export const mochaHooks = {
  async afterAll(this: Mocha.Context): Promise<void> {
    this.timeout(120_000);
    await Cluster.end();
  },
};
