import { expect } from 'chai';
import { help, parseOptions, version } from '../../../csi/options.ts';
import { UsageError } from '../../../daemon/flags.ts';

describe('the command line', () => {
  it('takes that of the Go driver', () => {
    const options = parseOptions([
      '--endpoint=unix:///var/lib/csi/sockets/pluginproxy/csi.sock',
      '--nifcloud-sdk-debug-log=true',
      '--logtostderr',
      '--logging-format=json',
      '--vmodule=a=1',
      '--log-flush-frequency=5s',
      '--v=4',
    ]);
    expect(options).to.include({ mode: 'all', v: 4, 'logging-format': 'json', 'nifcloud-sdk-debug-log': true });
    expect(parseOptions([]).endpoint).to.equal('unix://tmp/csi.sock');
  });

  it('refuses an unknown mode, naming the known ones', () => {
    expect(() => parseOptions(['--mode=both'])).to.throw(UsageError, 'all, controller, node');
  });

  it('keeps records by default where they outlive the pod, not beside the socket', () => {
    expect(parseOptions([])['state-dir']).to.match(/^\/var\/lib\/kubelet\/plugins\/[^/]+$/);
  });

  it('explains every variable that it reads', () => {
    for (const name of ['NODE_NAME', 'NIFCLOUD_REGION', 'NIFCLOUD_ZONE', 'NIFCLOUD_SECRET_ACCESS_KEY']) {
      expect(help()).to.contain(name);
    }
  });

  it('tells its version as JSON with the key of the Go driver', () => {
    expect(JSON.parse(version()))
      .to.have.property('driverVersion')
      .that.matches(/^\d+\.\d+\.\d+/);
  });
});
