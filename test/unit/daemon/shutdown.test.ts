import { spawn } from 'node:child_process';
import { expect } from 'chai';

/** Runs `body` as the main function of a daemon in a process of its own. */
async function daemon(
  body: string,
  signal?: NodeJS.Signals,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const root = new URL('../../..', import.meta.url);
  const script = `
    import { runDaemon } from '${new URL('daemon/shutdown.ts', root).href}';
    import { UsageError } from '${new URL('daemon/flags.ts', root).href}';
    import { systemClock } from '${new URL('daemon/clock.ts', root).href}';
    await runDaemon('daemon', async (signal) => { ${body} });`;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '--eval', script], { stdio: 'pipe' });
  let stdout = '';
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
    if (signal !== undefined && stdout.includes('ready')) child.kill(signal);
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, stdout, stderr };
}

describe('runDaemon', () => {
  it('prints a usage error in one line and exits with 1', async () => {
    const { code, stderr } = await daemon(`throw new UsageError('--x is unknown')`);
    expect({ code, stderr }).to.deep.equal({ code: 1, stderr: 'daemon: --x is unknown\n' });
  });

  it('prints any other error with its stack and exits with 1', async () => {
    const { code, stderr } = await daemon(`throw new Error('broken', { cause: new Error('disk') })`);
    expect(code).to.equal(1);
    expect(stderr).to.match(/^daemon: broken: disk\nError: broken\n +at /);
  });

  it('aborts the signal on SIGTERM, lets the program finish and exits with 0', async () => {
    const { code, stdout } = await daemon(
      `console.log('ready'); await systemClock.sleep(60_000, signal).catch(() => console.log('finishing')); console.log('done');`,
      'SIGTERM',
    );
    expect({ code, stdout }).to.deep.equal({ code: 0, stdout: 'ready\nfinishing\ndone\n' });
  });

  it("exits with 0 when the program ends by throwing the signal's reason", async () => {
    const { code, stderr } = await daemon(`console.log('ready'); await systemClock.sleep(60_000, signal);`, 'SIGINT');
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
  });
});
