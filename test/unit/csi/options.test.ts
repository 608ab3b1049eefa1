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

  it('refuses limits of volumes that no server has, and two at once', () => {
    expect(parseOptions(['--volume-attach-limit=14'])['volume-attach-limit']).to.equal(14);
    expect(parseOptions(['--reserved-volume-attachments=0'])['reserved-volume-attachments']).to.equal(0);
    expect(parseOptions([])).to.include({
      'volume-attach-limit': undefined,
      'reserved-volume-attachments': undefined,
    });
    for (const limit of ['0', '15', '-1', '3.5', 'all']) {
      expect(() => parseOptions([`--volume-attach-limit=${limit}`])).to.throw(UsageError, 'from 1 up to 14');
    }
    for (const reserved of ['14', '-1']) {
      expect(() => parseOptions([`--reserved-volume-attachments=${reserved}`])).to.throw(UsageError, 'from 0 up to 13');
    }
    expect(() => parseOptions(['--volume-attach-limit=5', '--reserved-volume-attachments=1'])).to.throw(
      UsageError,
      'exclude each other',
    );
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
